"""What belongs to one event ends with it, and nothing in an event waits for what may wait for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mooring.events import TEXT, MessageBody, MessageContent, UpEvent
from mooring.protocols import WouldHang
from mooring.testing import Bot, MakeBot
from tests.service_for_tests import Driver, running

# -- hooks apart -------------------------------------------------------------------------------------------------------

FIRST = '''
from mooring import CanvasItem, CommandError, Context
from plugins_log import done

async def act(ctx: Context, message) -> None:
    text = message.content.text
    ctx.storage.notes.setdefault("words", []).append("first")
    ctx.reply("first was here")
    ctx.canvas([CanvasItem(text="first")])
    ctx.schedule("1m", later)
    ctx.after_commit(lambda: done.append("first"))
    message.content.text = message.content.text.upper()
    if "fail" in text:
        raise ValueError("no")
    if "refuse" in text:
        raise CommandError("Not such a word.")

on_message_up = act

async def later(ctx: Context) -> None:
    ctx.storage.notes["later"] = True
'''

SECOND = '''
from mooring import Context

async def on_message_up(ctx: Context, message) -> None:
    ctx.storage.notes.setdefault("words", []).append("second")
    ctx.reply("second was here")
'''


@pytest.fixture
def hooked(make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bot:
    (tmp_path / "plugins_log.py").write_text("done = []\n")
    (tmp_path / "first.py").write_text(FIRST)
    (tmp_path / "second.py").write_text(SECOND)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "plugins_log", raising=False)
    return make_bot(str(tmp_path / "first.py"), str(tmp_path / "second.py"), dicts=["notes"])


def done() -> list[str]:
    found: list[str] = __import__("plugins_log").done
    return found


def test_the_message_stands_before_what_hooks_reply_to_it(hooked: Bot) -> None:
    hooked.say("ann", "hello")
    assert hooked.heard("bob")[-3:] == ["HELLO", "first was here", "second was here"]
    assert done() == ["first"]
    hooked.advance("2m")
    assert hooked.storage.notes["later"] is True


def test_a_hook_that_fails_is_undone_and_keeps_nobody_else_from_it(hooked: Bot, caplog: pytest.LogCaptureFixture) -> None:
    hooked.say("bob", "/help")
    before = hooked.shown("canvas", "bob")
    said = hooked.say("ann", "please fail")
    assert re.search(r"Something went wrong in first \(reference \w+\); what it did was undone\.", said)
    assert "first: on_message_up in channel room failed and is left out of the event" in caplog.text
    assert hooked.heard("bob")[-2:] == ["please fail", "second was here"]
    assert hooked.storage.notes["words"] == ["second"]
    assert hooked.shown("canvas", "bob") == before
    assert done() == []
    hooked.advance("2m")
    assert "later" not in hooked.storage.notes


def test_a_hook_refuses_the_event_by_a_command_error(hooked: Bot) -> None:
    assert hooked.say("ann", "I refuse") == "Not such a word."
    assert "I refuse" not in hooked.heard("bob")
    assert dict(hooked.storage.notes) == {}


def test_a_hook_that_fails_keeps_nobody_out(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text("async def on_join(ctx, action):\n    1 / 0\ndef on_leave(ctx, action):\n    1 / 0\n")
    bot = make_bot(str(tmp_path / "rude.py"), members=["ann"])
    assert "Something went wrong in rude" in bot.join("zoe")
    bot.leave("zoe")
    assert "zoe left" in bot.heard("ann")


# -- waiting -----------------------------------------------------------------------------------------------------------

WAITING = '''
import asyncio
from mooring import Context, command

async def nothing(ctx: Context) -> str:
    return ctx.channel.id

@command(example="/other cellar")
async def other(ctx: Context, channel: str) -> str:
    """Wait for another channel."""
    return await ctx.service.in_channel(channel, nothing)

@command(example="/own")
async def own(ctx: Context) -> str:
    """Run something in this event."""
    return "in " + await ctx.service.in_channel(ctx.channel.id, nothing)

@command(example="/task")
async def task(ctx: Context) -> str:
    """Wait for the own channel in a task."""
    return await asyncio.create_task(ctx.service.in_channel(ctx.channel.id, nothing))

@command(example="/thread")
def thread(ctx: Context) -> str:
    """Wait for the own channel in a thread."""
    async def wait():
        return await ctx.service.in_channel(ctx.channel.id, nothing)
    return asyncio.run(wait())

@command(example="/beside cellar")
async def beside(ctx: Context, channel: str) -> str:
    """Wait in the background."""
    async def work(background) -> None:
        await background.reply("reached " + await ctx.service.in_channel(channel, nothing))
    ctx.background(work)
    return "soon"
'''


@pytest.fixture
async def waiting(tmp_path: Path) -> AsyncIterator[Driver]:
    (tmp_path / "waiting.py").write_text(WAITING)
    options: dict[str, Any] = {"channels": ["tavern", "cellar"], "plugins": ["waiting"], "plugin_folders": [str(tmp_path)]}
    async with running(tmp_path / "store", limits={"handler_seconds": 20}, **options) as driver:
        await driver.join("ann", "bob")
        await driver.join("ann", "bob", channel="cellar")
        yield driver


async def test_two_channels_that_wait_for_each_other_are_told_at_once(waiting: Driver, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        answers = await asyncio.gather(waiting.say("ann", "/other cellar"), waiting.say("bob", "/other tavern", "cellar"))
    assert not any(answer.ok for answer in answers)
    assert "WouldHang: in_channel for channel 'cellar' was called inside of waiting: /other in channel tavern" in caplog.text
    assert "Use ctx.background(work)" in caplog.text


@pytest.mark.parametrize("line", ["/task", "/thread", "/other nowhere"])
async def test_so_is_whoever_waits_for_the_own_channel(waiting: Driver, line: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        assert not (await waiting.say("ann", line)).ok
    assert "WouldHang" in caplog.text


async def test_in_the_handler_itself_it_is_a_part_of_the_event(waiting: Driver) -> None:
    await waiting.say("ann", "/own")
    assert waiting.recorder.texts()[-1] == "in tavern"


async def test_in_the_background_there_is_time_to_wait(waiting: Driver) -> None:
    await waiting.say("ann", "/beside cellar")
    await waiting.service.settle()
    assert waiting.recorder.texts()[-1] == "reached cellar"


async def test_an_event_does_not_wait_for_an_event(waiting: Driver) -> None:
    event = UpEvent("message_up", "inner", "tavern", "ann", MessageBody(TEXT, "tavern", MessageContent(text="hello")))

    async def submit(ctx: Any) -> None:
        await waiting.service.submit(event)

    async with asyncio.timeout(10):
        with pytest.raises(WouldHang, match="submit for channel 'tavern'"):
            await waiting.service.in_channel("tavern", submit)


# -- after the event ---------------------------------------------------------------------------------------------------

LATE = '''
import asyncio
from mooring import CommandError, Context, command

kept = []
problems = {}

USES = {
    "storage": lambda ctx: ctx.storage,
    "member": lambda ctx: ctx.member,
    "channel": lambda ctx: ctx.channel,
    "reply": lambda ctx: ctx.reply("late"),
    "tell": lambda ctx: ctx.tell("ann", "late"),
    "canvas": lambda ctx: ctx.canvas([]),
    "progress": lambda ctx: ctx.progress("late"),
    "confirm": lambda ctx: ctx.confirm("Late?"),
    "schedule": lambda ctx: ctx.schedule("1m", late),
    "cancel": lambda ctx: ctx.cancel("x"),
    "after_commit": lambda ctx: ctx.after_commit(print),
    "background": lambda ctx: ctx.background(print),
    "refuse": lambda ctx: ctx.refuse("late"),
}

def late(ctx: Context) -> None:
    pass

@command(example="/keep")
async def keep(ctx: Context) -> None:
    """Keep the context for later."""
    kept[:] = [ctx, ctx.progress("going")]

@command(example="/use")
async def use(ctx: Context) -> str:
    """Use one that was kept."""
    for name, use in USES.items():
        try:
            use(kept[0])
            problems[name] = None
        except Exception as error:
            problems[name] = f"{type(error).__name__}: {error}"
    try:
        kept[1].update(1)
    except Exception as error:
        problems["update"] = f"{type(error).__name__}: {error}"
    return f"{kept[0].service is ctx.service} {kept[0].clock() == ctx.clock()}"

@command(example="/begin")
async def begin(ctx: Context) -> None:
    """Fail in the background."""
    async def work(background) -> None:
        bar = background.progress("Digging", 10)
        bar.update(3)
        await asyncio.sleep(0)
        raise RuntimeError("the spade is broken")
    ctx.background(work)

@command(example="/say no")
async def say_no(ctx: Context) -> None:
    """Refuse in the background."""
    async def work(background) -> None:
        background.progress("Digging", 10).update(3)
        raise CommandError("Here is rock.")
    ctx.background(work)
'''


@pytest.fixture
def late(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "late.py").write_text(LATE.replace('@command(example="/say no")', '@command("say no", example="/say no")'))
    return make_bot(str(tmp_path / "late.py"), dicts=["notes"])


def test_a_context_is_of_no_use_when_its_event_is_over(late: Bot) -> None:
    late.say("ann", "/keep")
    assert late.say("bob", "/use") == "True True"
    module = late.service.plugins.loaded["late"].module
    assert {name for name, problem in module.problems.items() if not problem or "TurnEnded" not in problem} == set()
    assert "use ctx.background(work), or service.in_channel" in module.problems["storage"]


def test_work_in_the_background_that_fails_is_told_to_who_began_it(late: Bot, caplog: pytest.LogCaptureFixture) -> None:
    late.say("ann", "/begin")
    late.settle()
    found = re.fullmatch(r"Something went wrong in the background \(reference (\w+)\)\.", late.heard("ann")[-2])
    assert found is not None, late.heard("ann")
    assert f"late: /begin failed in the background (reference {found[1]})" in caplog.text
    assert "the spade is broken" in caplog.text
    assert found[0] not in late.heard("bob")
    assert late.heard("bob")[-1] == "Digging (failed): 3 of 10"


def test_a_refusal_in_the_background_is_told_too(late: Bot) -> None:
    late.say("ann", "/say no")
    late.settle()
    assert late.heard("bob")[-2:] == ["Here is rock.", "Digging (failed): 3 of 10"]


