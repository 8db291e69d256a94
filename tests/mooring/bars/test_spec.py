"""Declared bars find their values, also those that other programs left."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring import Bar, PluginError
from mooring.testing import Bot, MakeBot

SOURCE = '''
from mooring import BarSpec, Context, command

def BARS(config):
    return [BarSpec("luck", "luck", start=3, maximum=10), BarSpec("store", "luck", owner="channel", start=0, maximum=50)]

@command(example="/luck")
async def luck(ctx: Context, points: int = 1) -> str:
    """Lose luck."""
    return str(ctx.bar("luck").lose(points).after)

@command(example="/fill 3")
async def fill(ctx: Context, points: int) -> str:
    """Fill the store."""
    return str(ctx.bar("store").give(points).after)

@command(example="/wrong")
async def wrong(ctx: Context) -> None:
    """Use a bar that is not there."""
    ctx.bar("luk")
'''


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "lucky.py").write_text(SOURCE)
    return make_bot(str(tmp_path / "lucky.py"))


def test_newcomers_have_the_start_value(bot: Bot) -> None:
    assert bot.bar("luck", "ann").value == 3
    assert bot.storage.luck["ann"] == Bar(3, 10)


@pytest.mark.parametrize(("kept", "shown"), [(7, 7), (700, 10), (-5, 0)])
def test_plain_numbers_become_bars(bot: Bot, kept: int, shown: int) -> None:
    bot.storage.luck["ann"] = kept
    assert bot.say("ann", "/luck 0") == str(shown)
    assert bot.storage.luck["ann"] == Bar(shown, 10)


@pytest.mark.parametrize("kept", ["x", [1], True, 1.5])
def test_what_is_no_bar_is_left_alone(bot: Bot, kept: object) -> None:
    bot.storage.luck["ann"] = kept
    assert "Something went wrong here" in bot.say("ann", "/luck")
    assert bot.storage.luck["ann"] == kept


def test_the_channel_has_its_own(bot: Bot) -> None:
    assert bot.say("ann", "/fill 3") == "3"
    assert bot.say("bob", "/fill 100") == "50"
    names = [character.name for character in bot.shown("characters", "ann")]
    assert names == ["ann", "bob", "cleo", "store"]


def test_an_unknown_bar_is_told_with_the_nearest(bot: Bot) -> None:
    with pytest.raises(PluginError, match=r"no plugin declares a bar named 'luk'; did you mean luck\?"):
        bot.service.plugins.bar("luk")


def test_two_bars_of_one_name_cannot_be_together(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("from mooring import BarSpec\nBARS = [BarSpec('health', 'mine')]")
    with pytest.raises(Exception, match="two plugins declare a bar named 'health'"):
        make_bot("bars", str(tmp_path / "other.py"))
