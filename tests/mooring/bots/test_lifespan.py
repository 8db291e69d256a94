"""What a plugin's lifespan yields is its state from the start to the end of the service, and over a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring import PluginError
from mooring.testing import MakeBot

COUNTER = '''
"""Counts in memory."""
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mooring import Context, Service, command

LOG = Path(__file__).with_name("log.txt")


def note(what: str) -> None:
    LOG.write_text((LOG.read_text() if LOG.exists() else "") + what + "\\n")


@asynccontextmanager
async def lifespan(service: Service, config: object) -> AsyncIterator[list[str]]:
    note(f"begun in {', '.join(service.channel_ids())}")
    try:
        yield ["first"]
    finally:
        note("ended")


@command(example="/count")
async def count(ctx: Context[list[str]]) -> str:
    """Count the calls."""
    ctx.state.append("call")
    return str(len(ctx.state))
'''


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "counter.py"
    file.write_text(COUNTER)
    return file


def logged(source: Path) -> list[str]:
    return source.with_name("log.txt").read_text().splitlines()


def test_what_it_yields_is_the_state_of_its_commands(make_bot: MakeBot, source: Path) -> None:
    bot = make_bot(str(source))
    assert [bot.say("ann", "/count"), bot.say("bob", "/count")] == ["2", "3"]
    assert logged(source) == ["begun in room"]
    bot.restart()
    assert logged(source) == ["begun in room", "ended", "begun in room"]
    assert bot.say("ann", "/count") == "2"


def test_new_code_begins_when_the_old_has_ended(make_bot: MakeBot, source: Path) -> None:
    bot = make_bot(str(source))
    bot.join("mo", role="moderator")
    bot.say("ann", "/count")
    source.write_text(COUNTER.replace('["first"]', '["first", "second"]'))
    bot.say("mo", "/plugins reload counter")
    bot.settle()
    assert bot.say("ann", "/count") == "3"
    assert logged(source) == ["begun in room", "ended", "begun in room"]


@pytest.mark.parametrize("fault", ["raise ValueError('no')", "raise SystemExit(3)"])
def test_code_that_does_not_begin_leaves_the_old_one_running(make_bot: MakeBot, source: Path, fault: str) -> None:
    bot = make_bot(str(source))
    bot.join("mo", role="moderator")
    source.write_text(COUNTER.replace('yield ["first"]', f"{fault}; yield []"))
    bot.say("mo", "/plugins reload counter")
    bot.settle()
    assert "Plugin counter stays as it was" in bot.heard("mo")[-1]
    assert bot.say("ann", "/count") == "2"


def test_a_lifespan_that_fails_keeps_the_service_from_starting(make_bot: MakeBot, source: Path) -> None:
    source.write_text(COUNTER.replace('yield ["first"]', "raise ValueError('no'); yield []"))
    with pytest.raises(PluginError, match="plugin counter: lifespan failed: ValueError: no"):
        make_bot(str(source)).say("ann", "/count")


def test_the_state_is_not_there_before_its_time(make_bot: MakeBot, source: Path) -> None:
    source.write_text(COUNTER + "\n\nasync def on_channel_init(ctx: Context) -> None:\n    ctx.state.append(1)\n")
    with pytest.raises(PluginError, match="the lifespan of counter has not begun"):
        make_bot(str(source)).say("ann", "/count")
