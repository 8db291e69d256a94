"""Progress and streamed texts of work in the background: one message, and one that says so where a crash has cut it short."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mooring.channels.interrupted import unfinished
from mooring.testing import Bot, MakeBot
from storage import MoobiusStorage
from tests.process_for_tests import Member, member, start, write_configs

SOURCE = '''
import asyncio
from mooring import Context, command

@command(example="/fetch")
async def fetch(ctx: Context) -> None:
    """Show progress, and never come to an end."""
    async def work(beside):
        progress = beside.progress("Fetching", 3)
        await progress.update(1)
        await beside.in_channel(begun)
        await asyncio.Event().wait()
    ctx.background(work)

@command(example="/tell")
async def tell(ctx: Context) -> None:
    """Stream a text, and stop in its middle."""
    async def work(beside):
        stream = beside.stream()
        await stream.write("Once upon a")
        await beside.in_channel(begun)
        await asyncio.Event().wait()
    ctx.background(work)

async def begun(ctx: Context) -> None:
    ctx.reply("begun")

@command(example="/quick")
async def quick(ctx: Context) -> None:
    """Show progress and a text, and come to an end at once."""
    async def work(beside):
        progress, stream = beside.progress("Counting", 2), beside.stream()
        progress.update(1)
        for word in ("one ", "two ", "three"):
            await stream.write(word)
        progress.update(2)
    ctx.background(work)

@command(example="/blocking")
def blocking(ctx: Context) -> None:
    """Begin it from a worker thread."""
    async def work(beside):
        beside.progress("Counting", 2).update(2)
    ctx.background(work)

@command(example="/fail")
async def fail(ctx: Context) -> None:
    """Fail in the middle of a text."""
    async def work(beside):
        await beside.stream().write("It was")
        raise ValueError
    ctx.background(work)
'''


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "working.py").write_text(SOURCE)
    return make_bot(str(tmp_path / "working.py"))


def kept(bot: Bot) -> list[str | None]:
    return [down.body.content.text for down in bot.service.history("room", "ann", limit=100)]


def test_a_handler_in_a_thread_begins_work_as_any_other(bot: Bot) -> None:
    bot.say("ann", "/blocking")
    bot.advance("1s")
    assert kept(bot)[-1] == "Counting: 2 of 2"


def test_a_streamed_text_is_one_message_and_nothing_is_left_of_its_making(bot: Bot) -> None:
    bot.say("ann", "/quick")
    bot.advance("1s")
    assert kept(bot)[-2:] == ["Counting: 2 of 2", "one two three"]
    assert unfinished(bot.storage, lambda _: False) == []


def test_a_text_whose_work_fails_says_so(bot: Bot) -> None:
    bot.say("ann", "/fail")
    bot.advance("1s")
    assert "It was (failed)" in kept(bot)
    assert unfinished(bot.storage, lambda _: False) == []


async def texts(one: Member) -> list[str]:
    await one.say("/bars")  # what came before its answer has been read then
    return one.texts()


async def test_what_a_crash_leaves_is_marked_at_the_next_start_and_once(tmp_path: Path) -> None:
    (tmp_path / "working.py").write_text(SOURCE)
    options = write_configs(tmp_path, plugins=["help", "bars", "working", "web"], plugin_folders=["."])
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        for line in ("/fetch", "/tell"):
            await ann.say(line)
        while ann.texts().count("begun") < 2:
            await ann.say("/bars")
            await asyncio.sleep(0.05)
        process.kill()
    await process.wait()
    for _ in range(2):
        process = await start(tmp_path, *options)
        async with member(process.address, token=ann.token) as again:
            found = [text for text in await texts(again) if "interrupted" in text]
            assert sorted(found) == ["Fetching: 1 of 3 (interrupted)", "Once upon a (interrupted)"]
        await process.end()


def test_what_another_process_is_still_writing_is_left_to_it(bot: Bot) -> None:
    storage: MoobiusStorage = bot.storage
    entry: dict[str, Any] = {"by": "somebody else", "body": {}}
    storage.system("unfinished")["x"] = entry
    assert unfinished(storage, lambda writer: writer == "somebody else") == []
    assert unfinished(storage, lambda writer: False) == ["x"]
