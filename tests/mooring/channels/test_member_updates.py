"""What the channel draws by itself: its members, their bars, and the canvas of these bars."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.events import CanvasItem, Down
from mooring.testing import Bot, MakeBot

DRAWING = """
from mooring import CanvasItem, Context, command


@command(example="/draw")
def draw(ctx: Context) -> None:
    \"\"\"Draw a canvas instead of the bars.\"\"\"
    ctx.canvas([CanvasItem(text="drawn")])
"""


def health(items: list[CanvasItem]) -> dict[str, int]:
    return {item.text or "": bar["value"] for item in items for bar in item.bars or [] if bar["name"] == "health"}


@pytest.fixture
def bot(make_bot: MakeBot) -> Bot:
    return make_bot("bars", members=["ann", "bob"])


def test_the_canvas_shows_the_bars_of_those_who_are_here(bot: Bot) -> None:
    bot.say("ann", "/hit @bob 20")
    assert health(bot.shown("canvas", "ann")) == {"ann": 100, "bob": 80}
    bot.service.presence("room", "bob", False)
    assert health(bot.shown("canvas", "ann")) == {"ann": 100}


def test_a_change_of_a_bar_reaches_members_who_look(bot: Bot) -> None:
    bot.say("ann", "/hit @bob 20")
    canvases: list[Down] = [down for down in bot.delivered if down.type == "canvas"]
    assert health(canvases[-1].body) == {"ann": 100, "bob": 80}


def test_a_canvas_that_a_plugin_drew_stays(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "drawing.py").write_text(DRAWING)
    bot = make_bot("bars", "drawing", folders=[tmp_path])
    bot.say("ann", "/draw")
    bot.say("ann", "/hit @ann 20")
    assert bot.shown("canvas", "ann") == [CanvasItem(text="drawn")]
    assert [down.body for down in bot.delivered if down.type == "canvas"][-1] == [CanvasItem(text="drawn")]
