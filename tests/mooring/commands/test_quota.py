"""A channel keeps no more than it may, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.testing import Bot, MakeBot

SOURCE = '''
from mooring import Context, Rest, command

@command(example="/keep a text")
async def keep(ctx: Context, key: str, text: Rest = "") -> str:
    """Keep a text."""
    ctx.storage.kept.setdefault(key, []).append(text)
    return f"{len(ctx.storage.kept)} kept"

@command(example="/drop a")
async def drop(ctx: Context, key: str) -> str:
    """Drop it."""
    del ctx.storage.kept[key]
    return "dropped"
'''


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "keeper.py").write_text(SOURCE)
    return str(tmp_path / "keeper.py")


def test_a_quota_of_keys(make_bot_on_every_engine: MakeBot, file: str) -> None:
    bot = make_bot_on_every_engine(file, dicts=["kept", "more"], limits={"keys": 3})
    bot.storage.more["x"] = 1
    assert bot.say("ann", "/keep a 1") == "1 kept"
    assert bot.say("ann", "/keep b 1") == "2 kept"
    assert bot.say("ann", "/keep c 1") == "This channel is full: it may keep 3 entries, and this would make 4. Remove some first."
    assert bot.say("ann", "/keep b 2") == "2 kept"
    assert bot.say("ann", "/drop a") == "dropped"
    assert bot.say("ann", "/keep c 1") == "2 kept"
    assert dict(bot.storage.kept) == {"b": ["1", "2"], "c": ["1"]}


def test_a_quota_of_bytes_counts_what_is_changed_in_place(make_bot: MakeBot, file: str) -> None:
    bot: Bot = make_bot(file, dicts=["kept"], limits={"bytes": 39})
    assert bot.say("ann", "/keep a 0123456789") == "1 kept"
    assert bot.say("ann", "/keep a 0123456789") == "1 kept"
    assert bot.say("ann", "/keep a 0123456789") == "This channel is full: it may keep 39 bytes, and this would make 40. Remove something first."
    assert bot.storage.kept["a"] == ["0123456789"] * 2
    bot.restart()
    assert "would make" in bot.say("ann", "/keep b 01234567890123456789")
    assert bot.say("ann", "/drop a") == "dropped"


def test_no_quota_no_limit(make_bot: MakeBot, file: str) -> None:
    bot = make_bot(file, dicts=["kept"])
    assert bot.say("ann", "/keep a " + "x" * 10_000) == "1 kept"
