"""Roles, cooldowns, limits and confirmations."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mooring import cooldown, every, requires
from mooring.commands.pending import Runs
from mooring.testing import Bot, Crashed, MakeBot

SOURCE = '''
import asyncio
from mooring import Background, CommandError, Context, at_most, command, cooldown, requires

@command(example="/dig 1")
@cooldown("10s")
async def dig(ctx: Context, depth: int = 1) -> str:
    """Dig."""
    if depth > 5:
        raise CommandError("Too deep.")
    ctx.storage.holes[ctx.member.id] = ctx.storage.holes.get(ctx.member.id, 0) + depth
    return "You dig."

@cooldown("1m", per="channel")
@cooldown("5m")
@command(example="/bell")
async def bell(ctx: Context) -> str:
    """Ring the bell for all."""
    return "Dong!"

@command(example="/ban ann")
@requires("owner")
async def ban(ctx: Context) -> str:
    """Ban."""
    return "Banned."

@command(example="/fetch")
@at_most(1)
async def fetch(ctx: Context) -> str:
    """Fetch for long."""
    async def work(beside: Background) -> None:
        await asyncio.sleep(0.05)
        await beside.reply("Fetched.")
    ctx.background(work)
    return "Fetching."

@command(example="/wipe")
async def wipe(ctx: Context) -> str:
    """Forget all holes."""
    ctx.storage.holes.clear()
    ctx.confirm("Really forget all holes?")
    return "Forgotten."
'''


@pytest.fixture
def source(tmp_path: Path) -> str:
    file = tmp_path / "digging.py"
    file.write_text(SOURCE)
    return str(file)


@pytest.fixture
def bot(make_bot: MakeBot, source: str) -> Bot:
    return make_bot(source, dicts=["holes"])


def test_a_cooldown_is_told_each_time_and_ends(bot: Bot) -> None:
    assert bot.say("ann", "/dig") == "You dig."
    assert bot.say("bob", "/dig") == "You dig."
    bot.advance("4s")
    assert bot.say("ann", "/dig") == "/dig rests for you, 6s from now."
    assert bot.say("ann", "/dig") == "/dig rests for you, 6s from now."
    bot.advance("6s")
    assert bot.say("ann", "/dig") == "You dig."
    assert bot.say("ann", "/dig") == "/dig rests for you, 10s from now."
    assert dict(bot.storage.holes) == {"ann": 2, "bob": 1}


def test_what_was_refused_or_undone_does_not_count_as_a_use(bot: Bot) -> None:
    assert bot.say("ann", "/dig 9") == "Too deep."
    assert bot.say("ann", "/dig x").startswith("depth: x is not a whole number.")
    assert bot.say("ann", "/dig") == "You dig."


def test_a_cooldown_survives_a_restart_and_a_crash(make_bot_on_every_engine: MakeBot, source: str) -> None:
    bot = make_bot_on_every_engine(source, dicts=["holes"])
    bot.crash_at(1, "after")
    with pytest.raises(Crashed):
        bot.say("ann", "/dig")
    assert bot.say("ann", "/dig") == "/dig rests for you, 10s from now."
    bot.restart()
    assert bot.say("ann", "/dig") == "/dig rests for you, 10s from now."
    assert bot.storage.holes["ann"] == 1


def test_cooldowns_of_channel_and_member_stand_beside_each_other(make_bot: MakeBot, source: str) -> None:
    bot = make_bot(source, dicts=["holes"], channels=["room", "hall"])
    assert bot.say("ann", "/bell") == "Dong!"
    assert bot.say("bob", "/bell") == "/bell rests for everybody here, 1m from now."
    assert bot.say("bob", "/bell", "hall") == "Dong!"
    bot.advance("1m")
    assert bot.say("ann", "/bell") == "/bell rests for you, 4m from now."
    assert bot.say("bob", "/bell") == "Dong!"


def test_a_clock_set_back_lengthens_no_cooldown(bot: Bot) -> None:
    bot.say("ann", "/dig")
    bot.time -= 3600
    assert bot.say("ann", "/dig") == "You dig."


def test_roles(bot: Bot) -> None:
    bot.join("mo", role="moderator")
    bot.join("olga", role="owner")
    assert bot.say("mo", "/ban") == "/ban is for owners of this channel."
    assert bot.say("olga", "/ban") == "Banned."
    assert "/ban" not in bot.say("mo", "/help")
    assert "/ban" in bot.say("olga", "/help")


def test_a_limit_counts_work_in_the_background(make_bot: MakeBot, source: str) -> None:
    bot = make_bot(source, dicts=["holes"], channels=["room", "hall"])
    assert bot.say("ann", "/fetch") == "Fetching."
    assert bot.say("bob", "/fetch", "hall") == "/fetch is running already. Try again when it has finished."
    bot.settle()
    assert bot.heard("ann")[-1] == "Fetched."
    assert bot.say("bob", "/fetch", "hall") == "Fetching."


def test_a_confirmation_is_asked_for_and_used_once(bot: Bot) -> None:
    bot.say("ann", "/dig")
    assert bot.say("ann", "/wipe") == "Really forget all holes? Type /yes to go on."
    assert dict(bot.storage.holes) == {"ann": 1}
    assert bot.say("bob", "/yes") == "Nothing is waiting for your yes."
    assert bot.say("ann", "/yes") == "Forgotten."
    assert dict(bot.storage.holes) == {}
    assert bot.say("ann", "/yes") == "Nothing is waiting for your yes."


def test_a_confirmation_is_not_waited_for_for_ever(bot: Bot) -> None:
    bot.say("ann", "/wipe")
    bot.advance("61s")
    assert bot.say("ann", "/yes") == "Nothing is waiting for your yes."


def test_rules_that_make_no_sense_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="'soon' is not a duration"):
        cooldown("soon")
    with pytest.raises(ValueError, match="per='world' must be"):
        cooldown("1s", per="world")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'king' is no role"):
        requires("king")
    with pytest.raises(ValueError, match="shorter than a second"):
        every("0s")


async def test_the_count_of_runs_goes_down_when_a_run_fails() -> None:

    runs = Runs()

    async def fail() -> None:
        with runs.one("x", 1):
            await asyncio.sleep(0)
            raise RuntimeError

    for _ in range(2):
        with pytest.raises(RuntimeError):
            await fail()
