"""The promises of a channel: once, whole or not at all, in one order, and nothing said before it is kept."""

import asyncio
import logging
import resource
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService, Context
from mooring.channels.answers import NOT_A_MEMBER, UNAVAILABLE
from mooring.channels.turn import current_turn
from mooring.errors import CommandError
from mooring.events import Cause, Down, MessageBody, SimpleAction, UpEvent
from mooring.protocols import ChannelBusy, OutcomeNotKnown, ServiceStopping, UnknownChannel
from storage import files
from storage.errors import OutcomeUnknown
from tests.service_for_tests import Driver, Recorder, running
from tests.storage.engines_for_tests import FourMethods


class Bot(ChannelService):
    """Does with a channel's dicts what its members say."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.gate = asyncio.Event()
        self.order: list[str] = []
        self.engines: list[FourMethods] = []
        self.handled = 0

    async def on_channel_init(self, channel_id: str) -> None:
        await super().on_channel_init(channel_id)
        engine = FourMethods()
        self.channels[channel_id].put("shelf", engine)
        self.engines.append(engine)

    async def on_message_up(self, message: MessageBody) -> None:
        storage = self.channels[message.channel_id]
        word, _, rest = (message.content.text or "").partition(" ")
        self.handled += 1
        match word:
            case "add":
                storage.health_bars[message.sender] = storage.health_bars.get(message.sender, 0) + int(rest)
                await self.send_message(f"{message.sender} has {storage.health_bars[message.sender]}", message.channel_id)
            case "nest":
                storage.mana_bars.setdefault("list", []).append(rest)
                await self.send_message("nested", message.channel_id)
            case "raise":
                storage.health_bars["ann"] = -1
                storage.mana_bars.setdefault("list", []).append("never")
                await self.send_message("never said", message.channel_id)
                raise RuntimeError("a fault with secret-4711 in it")
            case "refuse":
                storage.health_bars["ann"] = -1
                await self.send_message("never said", message.channel_id)
                raise CommandError("That cannot be.")
            case "cancel":
                storage.health_bars["ann"] = -1
                raise asyncio.CancelledError
            case "wait":
                self.order.append(f"{rest} begins")
                await self.gate.wait()
                self.order.append(f"{rest} ends")
            case "note":
                self.order.append(rest)
            case "big":
                storage.health_bars["big"] = "x" * 300_000
                await self.send_message("kept", message.channel_id)
            case "shelve":
                storage.health_bars["ann"] = "shelved"
                storage.shelf["key"] = rest
                await self.send_message("shelved", message.channel_id)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Driver[Bot]]:
    async with running(tmp_path, Bot, channels=["tavern", "library"]) as driver:
        await driver.join("ann", "bob")
        await driver.join("ann", channel="library")
        yield driver


# -- whole or not at all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "told"), [("raise", "Something went wrong"), ("refuse", "That cannot be."), ("cancel", "Something went wrong")])
async def test_a_handler_that_raises_leaves_nothing_but_the_error_line(bot: Driver[Bot], text: str, told: str) -> None:
    await bot.say("ann", "add 5")
    await bot.say("ann", "nest a")
    before = len(bot.recorder.downs)
    answer = await bot.say("ann", text)
    assert not answer.ok
    assert told in answer.message
    storage = bot.service.channels["tavern"]
    assert dict(storage.health_bars) == {"ann": 5}
    assert storage.mana_bars["list"] == ["a"]
    [line] = bot.recorder.downs[before:]
    assert (line.body.content.text, line.recipients, line.body.context) == (answer.message, frozenset({"ann"}), {"error": True})


async def test_after_a_raising_handler_the_channel_goes_on(bot: Driver[Bot]) -> None:
    await bot.say("ann", "raise")
    assert (await bot.say("bob", "add 3")).ok
    assert bot.service.channels["tavern"].health_bars["bob"] == 3


async def test_the_log_has_the_traceback_under_the_reference_that_the_member_was_told(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await bot.say("ann", "raise")
    reference = answer.message.partition("reference ")[2].partition(")")[0]
    [record] = [record for record in caplog.records if reference in record.getMessage()]
    assert len(reference) == 6
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError
    assert "secret-4711" not in answer.message


# -- once --------------------------------------------------------------------------------------------------------------


async def test_the_same_event_again_is_answered_and_not_done_again(bot: Driver[Bot]) -> None:
    first = await bot.say("ann", "add 5", request="one")
    said = len(bot.recorder.downs)
    again = await bot.say("ann", "add 5", request="one")
    assert (first.ok, first.repeated, again.ok, again.repeated) == (True, False, True, True)
    assert bot.service.channels["tavern"].health_bars["ann"] == 5
    assert len(bot.recorder.downs) == said


async def test_twice_at_the_same_moment_is_once(bot: Driver[Bot]) -> None:
    answers = await asyncio.gather(*(bot.say("ann", "add 5", request="one") for _ in range(20)))
    assert sorted(answer.repeated for answer in answers) == [False] + [True] * 19
    assert bot.service.channels["tavern"].health_bars["ann"] == 5


async def test_a_refusal_is_repeated_too(bot: Driver[Bot]) -> None:
    first = await bot.say("ann", "refuse", request="one")
    again = await bot.say("ann", "refuse", request="one")
    assert (again.ok, again.message, again.repeated) == (False, first.message, True)
    assert bot.recorder.texts("ann").count("That cannot be.") == 1


async def test_the_same_id_from_another_member_or_channel_is_another_event(bot: Driver[Bot]) -> None:
    for member, channel in [("ann", "tavern"), ("bob", "tavern"), ("ann", "library")]:
        assert not (await bot.say(member, "add 1", channel, request="one")).repeated


async def test_once_only_holds_over_a_restart(tmp_path: Path) -> None:
    for repeated in (False, True):
        async with running(tmp_path, Bot) as driver:
            await driver.join("ann")
            answer = await driver.say("ann", "add 5", request="one")
            assert (answer.ok, answer.repeated) == (True, repeated)
            assert driver.service.channels["tavern"].health_bars["ann"] == 5


# -- one order ---------------------------------------------------------------------------------------------------------


async def test_events_of_a_channel_are_handled_in_the_order_in_which_they_came(bot: Driver[Bot]) -> None:
    first = asyncio.create_task(bot.say("ann", "wait first"))
    others = [asyncio.create_task(bot.say("bob", f"note {number}")) for number in range(50)]
    await asyncio.sleep(0)
    bot.service.gate.set()
    await asyncio.gather(first, *others)
    assert bot.service.order == ["first begins", "first ends", *map(str, range(50))]


async def test_a_handler_that_hangs_holds_up_its_own_channel_only(bot: Driver[Bot]) -> None:
    hanging = asyncio.create_task(bot.say("ann", "wait tavern"))
    behind = asyncio.create_task(bot.say("bob", "add 1"))
    assert (await bot.say("ann", "add 1", "library")).ok
    assert not hanging.done()
    assert not behind.done()
    bot.service.gate.set()
    assert (await hanging).ok
    assert (await behind).ok


async def test_a_full_queue_turns_events_down_and_loses_none_that_it_took(tmp_path: Path) -> None:
    async with running(tmp_path, Bot, limits={"queue_length": 3}) as driver:
        await driver.join("ann")
        first = asyncio.create_task(driver.say("ann", "wait x"))
        while not driver.service.order:
            await asyncio.sleep(0)
        taken = [asyncio.create_task(driver.say("ann", "add 1")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(ChannelBusy, match="Try again"):
            await driver.say("ann", "add 1")
        driver.service.gate.set()
        assert all(answer.ok for answer in await asyncio.gather(first, *taken))
        assert driver.service.channels["tavern"].health_bars["ann"] == 3


async def test_a_sender_who_went_away_is_handled_all_the_same(bot: Driver[Bot]) -> None:
    blocker = asyncio.create_task(bot.say("ann", "wait x"))
    gone = asyncio.create_task(bot.say("bob", "add 7"))
    await asyncio.sleep(0)
    gone.cancel()
    bot.service.gate.set()
    await blocker
    await bot.say("bob", "note after")
    assert bot.service.channels["tavern"].health_bars["bob"] == 7


async def test_unknown_channels_and_strangers_are_turned_down(bot: Driver[Bot]) -> None:
    with pytest.raises(UnknownChannel, match="attic"):
        await bot.say("ann", "add 1", "attic")
    answer = await bot.say("eve", "add 1")
    assert (answer.ok, answer.message) == (False, NOT_A_MEMBER)
    assert "eve" not in bot.service.channels["tavern"].health_bars


async def test_after_a_stop_nothing_is_taken(tmp_path: Path) -> None:
    async with running(tmp_path, Bot) as driver:
        await driver.join("ann")
        channel = driver.service._hosted["tavern"]
    with pytest.raises(ServiceStopping):
        await channel.queue.enqueue(UpEvent("refresh", "x", "tavern", "ann", SimpleAction("refresh", "tavern", "ann")))


# -- nothing said before it is kept ------------------------------------------------------------------------------------


async def test_nothing_is_said_if_an_engine_refuses_the_commit(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    await bot.say("ann", "add 5")
    bot.service.engines[0].broken.add("key")
    before = len(bot.recorder.downs)
    answer = await bot.say("ann", "shelve x", request="again")
    assert (answer.ok, answer.message) == (False, UNAVAILABLE)
    [line] = bot.recorder.downs[before:]
    assert (line.body.content.text, line.number, line.recipients) == (UNAVAILABLE, 0, frozenset({"ann"}))
    assert bot.service.channels["tavern"].health_bars["ann"] == 5
    assert "key" not in bot.service.channels["tavern"].shelf

    bot.service.engines[0].broken.clear()
    answer = await bot.say("ann", "shelve x", request="again")
    assert (answer.ok, answer.repeated) == (True, False)
    assert bot.recorder.texts()[-1] == "shelved"
    assert bot.service.channels["tavern"].health_bars["ann"] == "shelved"


async def test_a_full_disk_undoes_the_event_and_the_next_one_works_when_there_is_room(bot: Driver[Bot]) -> None:
    await bot.say("ann", "add 5")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        answer = await bot.say("ann", "big", request="big")
        assert (answer.ok, answer.message) == (False, UNAVAILABLE)
        assert "big" not in bot.service.channels["tavern"].health_bars
        assert bot.recorder.texts("ann")[-1] == UNAVAILABLE
        assert (await bot.say("ann", "add 1")).ok
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (await bot.say("ann", "big", request="big")).ok
    assert bot.recorder.texts()[-1] == "kept"
    assert bot.service.channels["tavern"].health_bars["ann"] == 6


async def test_when_a_reply_arrives_its_change_is_on_disk(tmp_path: Path) -> None:
    """Another process, which sees only the disk, finds the change at the moment at which the reply leaves."""
    found: list[bool] = []

    class Looking(Recorder):
        def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
            written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
            found.extend(f'"ann",{down.body.content.text.split()[-1]}'.encode() in written for down in downs if down.type == "message_down")

    async with running(tmp_path, Bot) as driver:
        await driver.join("ann")
        driver.service.attach(Looking())
        for _ in range(5):
            await driver.say("ann", "add 1")
    assert found == [True] * 5


async def test_a_gateway_that_fails_keeps_nothing_from_the_others(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Recorder):
        def stop_accepting(self) -> None:
            raise OSError("no")

        def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
            raise ValueError("no")

    bot.service._gateways._attached.insert(0, Failing())
    assert (await bot.say("ann", "add 1")).ok
    assert bot.recorder.texts()[-1] == "ann has 1"


# -- work of plugins ---------------------------------------------------------------------------------------------------


async def test_work_in_a_channel_waits_its_turn_and_returns_its_result(bot: Driver[Bot]) -> None:
    waiting = asyncio.create_task(bot.say("ann", "wait x"))

    async def work(ctx: Context) -> str:
        ctx.storage.mana_bars["work"] = True
        ctx.reply("worked")
        return bot.service.order[-1]

    pending = asyncio.create_task(bot.service.in_channel("tavern", work))
    await asyncio.sleep(0)
    bot.service.gate.set()
    assert await pending == "x ends"
    await waiting
    assert bot.recorder.texts()[-1] == "worked"


async def test_work_that_raises_is_undone_and_raises_where_it_was_asked_for(bot: Driver[Bot]) -> None:
    async def work(ctx: Context) -> None:
        ctx.storage.mana_bars["work"] = True
        ctx.reply("never")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await bot.service.in_channel("tavern", work)
    assert "work" not in bot.service.channels["tavern"].mana_bars
    assert "never" not in bot.recorder.texts()


async def test_work_inside_an_event_of_the_same_channel_belongs_to_that_event(bot: Driver[Bot]) -> None:
    async def outer(ctx: Context) -> None:
        await bot.service.in_channel("tavern", inner)
        raise LookupError

    async def inner(ctx: Context) -> None:
        ctx.storage.mana_bars["inner"] = True

    with pytest.raises(LookupError):
        await bot.service.in_channel("tavern", outer)
    assert "inner" not in bot.service.channels["tavern"].mana_bars


async def test_a_task_that_outlives_its_event_is_not_inside_of_it(bot: Driver[Bot]) -> None:
    tasks: list[asyncio.Task[None]] = []
    seen: list[str] = []

    async def later() -> None:
        turn = current_turn()
        while turn is None or turn.open:
            await asyncio.sleep(0)
        await bot.service.send_message("from a task", "tavern")
        seen.append(bot.recorder.texts()[-1])

    async def work(ctx: Context) -> None:
        tasks.append(asyncio.create_task(later()))

    await bot.service.in_channel("tavern", work)
    await tasks[0]
    assert seen[0] == "from a task"


async def test_calls_after_the_commit_run_once_and_only_then(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    async def slow() -> None:
        calls.append("awaited")

    def fail() -> None:
        raise LookupError("too late to undo anything")

    async def work(ctx: Context) -> None:
        ctx.after_commit(lambda: calls.append(bot.recorder.texts()[-1]))
        ctx.after_commit(fail)
        ctx.after_commit(slow)
        ctx.reply("said")
        assert calls == []

    await bot.service.in_channel("tavern", work)
    await asyncio.sleep(0)
    assert calls == ["said", "awaited"]

    async def failing(ctx: Context) -> None:
        ctx.after_commit(lambda: calls.append("never"))
        raise LookupError

    with pytest.raises(LookupError):
        await bot.service.in_channel("tavern", failing)
    assert "never" not in calls


async def test_progress_from_a_thread_arrives_on_the_loop(bot: Driver[Bot]) -> None:
    here = threading.get_ident()
    threads: list[int] = []

    class Watching(Recorder):
        def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
            threads.append(threading.get_ident())

    bot.service.attach(Watching())

    async def work(ctx: Context) -> None:
        progress = ctx.progress("Fetching", 3)
        await asyncio.to_thread(progress.update, 2)

    await bot.service.in_channel("tavern", work)
    await asyncio.sleep(0)
    assert "Fetching: 2 of 3" in bot.recorder.texts()
    assert set(threads) == {here}


# -- many channels -----------------------------------------------------------------------------------------------------


async def test_fifty_channels_share_the_sync_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that waits for the disk lets those behind it gather, and all of them take one sync."""
    names = [f"room{number}" for number in range(50)]
    syncs: list[int] = []
    all_handled = threading.Event()
    sync = files._sync_data

    def slow_disk(descriptor: int) -> None:
        syncs.append(descriptor)
        assert all_handled.wait(30)
        sync(descriptor)

    async with running(tmp_path, Bot, channels=names) as driver:
        for name in names:
            await driver.join("ann", channel=name)
        monkeypatch.setattr(files, "_sync_data", slow_disk)
        events = [asyncio.create_task(driver.say("ann", "add 1", name)) for name in names]
        while driver.service.handled < 50:
            await asyncio.sleep(0)
        all_handled.set()
        assert all(answer.ok for answer in await asyncio.gather(*events))
        count = len(syncs)
        assert [driver.service.channels[name].health_bars["ann"] for name in names] == [1] * 50
    assert 1 <= count <= 2, "one for the first, one for all that came while it waited"


async def test_an_outcome_that_nobody_knows_is_no_refusal(bot: Driver[Bot], monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise OutcomeUnknown("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(bot.service.engines[0], "commit_batch", lost)
        with pytest.raises(OutcomeNotKnown):
            await bot.say("ann", "shelve 1", request="lost")
    assert (await bot.say("ann", "shelve 1", request="lost")).ok


async def test_each_down_names_the_event_that_caused_it_in_the_history_too(bot: Driver[Bot]) -> None:
    before = len(bot.recorder.downs)
    await bot.say("ann", "add 1", request="first")
    await bot.say("bob", "refuse", request="second")
    first, second = (down for down in bot.recorder.downs[before:] if down.type == "message_down")
    assert first.cause == Cause("first", "ann")
    assert second.cause == Cause("second", "bob")
    assert [down.cause for down in bot.service.history("tavern", "bob", limit=2)] == [first.cause, second.cause]
    await bot.service.in_channel("tavern", _reply)
    assert bot.recorder.downs[-1].cause is None


async def _reply(ctx: Context) -> None:
    ctx.reply("from nobody")
