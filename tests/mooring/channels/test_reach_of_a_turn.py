"""What a turn gets at: its own channel's dicts by whichever object, those of others for reading only, and none when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mooring.testing import Bot, MakeBot

SOURCE = '''
import threading

from mooring import CommandError, Context, command
from storage import MoobiusStorage

found = []
go_on, done = threading.Event(), threading.Event()


def other(ctx: Context):
    return ctx.service.channels["hall"].money


@command
async def steal(ctx: Context) -> None:
    """Change another channel's dict, and refuse the event."""
    other(ctx)["pot"] += 1
    raise CommandError("no")

@command
async def append(ctx: Context) -> str:
    """Change a value of another channel in place."""
    ctx.storage.money["seen"] = 1
    other(ctx)["list"].append(1)
    return "done"

@command
async def enter(ctx: Context) -> str:
    """Open a transaction of another channel."""
    async with ctx.service.channels["hall"].transaction():
        other(ctx)["pot"] += 1
    return "done"

@command
def look(ctx: Context) -> str:
    """Read another channel's dict."""
    return f"{other(ctx)['pot']} {other(ctx)['list']}"

@command
def own(ctx: Context, fails: bool = False) -> str:
    """Use a storage of its own making for its own channel."""
    ctx.storage.money["pot"] = 1
    channel = ctx.service.channels["room"]
    with MoobiusStorage(channel.service_id, channel.channel_id, CONFIG) as again:
        again.money["pot"] += 1
        with again.transaction():
            again.money["list"] = [again.money["pot"]]
    if fails:
        raise CommandError("no")
    return f"{ctx.storage.money['pot']} {ctx.storage.money['list']}"

@command
async def half(ctx: Context) -> None:
    """Give up after the first half, and leave a thread behind that does the other one."""
    import asyncio

    money = ctx.storage.money

    def second_half() -> None:
        go_on.wait(20)
        try:
            money["to"] = 10
        except Exception as error:
            found.append(type(error).__name__)
        done.set()

    ctx.storage.money["from"] = -10
    asyncio.get_running_loop().run_in_executor(None, __import__("contextvars").copy_context().run, second_half)
    raise CommandError("gave up")
'''


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    file = tmp_path / "reaching.py"
    file.write_text(SOURCE)
    bot = make_bot(str(file), channels=["room", "hall"], dicts=["money"])
    bot.service.channels["hall"].money.update(pot=5, list=["mine"])
    config = [{"implementation": "json", "name": "money", "settings": {"root_dir": str(_root(bot))}}]
    bot.service.plugins.loaded["reaching"].module.CONFIG = config  # type: ignore[attr-defined]
    return bot


def _root(bot: Bot) -> Path:
    return Path(bot.storage.money.database._store.root)  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["/steal", "/append", "/enter"])
def test_another_channel_cannot_be_changed(bot: Bot, text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert "went wrong" in str(bot.say("ann", text))
    assert "ctx.send_to" in caplog.text
    assert bot.service.channels["hall"].money == {"pot": 5, "list": ["mine"]}
    assert bot.storage.money == {}


def test_another_channel_can_be_read(bot: Bot) -> None:
    assert bot.say("ann", "/look") == "5 ['mine']"


def test_a_storage_of_its_own_making_takes_part(bot: Bot) -> None:
    assert bot.say("ann", "/own yes") == "no"
    assert bot.storage.money == {}
    assert bot.say("ann", "/own") == "2 [2]"
    assert bot.storage.money == {"pot": 2, "list": [2]}


def test_a_thread_that_is_left_behind_keeps_no_half_of_it(bot: Bot) -> None:
    module = bot.service.plugins.loaded["reaching"].module
    assert bot.say("ann", "/half") == "gave up"
    go_on: threading.Event = module.go_on
    wait: Callable[[float], bool] = module.done.wait
    go_on.set()
    assert wait(20)
    assert module.found == ["TransactionEnded"]
    assert bot.storage.money == {}
