"""What plugins show is state: it is there after a restart, each plugin has its own part, and a click goes to whom it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring import Button, CanvasItem, MenuItem, StyleItem
from mooring.channels.screen import Screen
from mooring.events import Down
from mooring.kinds import DOWN_KINDS
from mooring.testing import Bot, MakeBot

GAME = """
from mooring import Button, ButtonClick, CanvasItem, Context, Member, MenuItem, MenuItemClick, command

@command(example="/NAME begin")
async def NAME(ctx: Context, what: str) -> None:
    match what:
        case "begin":
            ctx.buttons([Button("go", "Go NAME"), Button("only-NAME", "Only")])
            ctx.canvas([CanvasItem("NAME runs")])
            ctx.menu([MenuItem("like", "Like", ["text"])])
        case "mine":
            ctx.buttons([Button("mine", "Mine")], to=[ctx.member])
        case "end":
            ctx.buttons([])
            ctx.canvas([])

async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    ctx.reply(f"NAME: {click.button_id}")

async def on_menu_item_click(ctx: Context, click: MenuItemClick) -> None:
    ctx.reply(f"NAME likes {click.message_content.text}")
"""


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> Bot:
    for name in ("chess", "poker"):
        (tmp_path / f"{name}.py").write_text(GAME.replace("NAME", name))
    return make_bot_on_every_engine("chess", "poker", folders=[tmp_path])


def items(bot: Bot, kind: str, member: str = "ann") -> list[str]:
    room = bot.service.channel_ids()[0]
    found = [down.body for down in bot.service.current(room, member) if down.type == kind]
    return [str(getattr(item, "button_text", None) or getattr(item, "text", "")) for body in found for item in body]


def test_each_plugin_has_its_own_part_and_it_is_there_after_a_restart(bot: Bot) -> None:
    bot.say("ann", "/chess begin")
    bot.say("ann", "/poker begin")
    before = ["Go chess", "Only", "Go poker", "Only"]
    assert items(bot, "buttons") == before
    assert items(bot, "canvas") == ["chess runs", "poker runs"]
    bot.restart()
    assert items(bot, "buttons", "bob") == before
    bot.say("ann", "/chess end")
    assert items(bot, "buttons") == ["Go poker", "Only"]
    assert items(bot, "canvas") == ["poker runs"]


def test_a_click_goes_to_the_plugin_that_made_the_button(bot: Bot) -> None:
    bot.say("ann", "/chess begin")
    bot.say("ann", "/poker begin")
    assert bot.click("bob", "only-poker") == "poker: only-poker"
    assert bot.click("bob", "go") == "chess: go"
    assert bot.click("bob", "poker/go") == "poker: go"


def test_a_button_that_was_never_shown_or_is_gone_does_nothing(bot: Bot) -> None:
    assert bot.click("ann", "go") == "That button is not there any more."
    bot.say("ann", "/chess begin")
    assert bot.click("ann", "go") == "chess: go"
    bot.say("ann", "/chess end")
    assert bot.click("ann", "go") == "That button is not there any more."


def test_what_is_for_one_member_is_for_that_member_alone_and_stays_so(bot: Bot) -> None:
    bot.say("ann", "/chess begin")
    bot.say("ann", "/chess mine")
    bot.restart()
    assert items(bot, "buttons", "ann") == ["Mine"]
    assert items(bot, "buttons", "bob") == ["Go chess", "Only"]
    assert bot.click("ann", "mine") == "chess: mine"
    assert bot.click("bob", "mine") == "That button is not there any more."
    bot.say("bob", "/chess begin")
    assert items(bot, "buttons", "ann") == ["Go chess", "Only"]


def test_a_menu_choice_has_the_text_that_the_channel_knows(bot: Bot) -> None:
    bot.say("ann", "/chess begin")
    bot.say("ann", "hello")
    assert bot.pick("bob", "like", "hello") == "chess likes hello"
    assert bot.pick("bob", "like", "never said") == "That message is not there any more."
    assert bot.pick("bob", "dislike", "hello") == "That is not offered any more."


def test_an_event_that_is_undone_shows_nothing(make_bot: MakeBot, tmp_path: Path) -> None:
    failing = "\n@command(example='/no')\nasync def no(ctx: Context) -> None:\n    ctx.buttons([Button('x', 'X')])\n    raise ValueError\n"
    (tmp_path / "chess.py").write_text(GAME.replace("NAME", "chess") + failing)
    bot = make_bot("chess", folders=[tmp_path])
    bot.say("ann", "/no")
    assert items(bot, "buttons") == []
    bot.restart()
    assert items(bot, "buttons") == []


# -- the screen itself -------------------------------------------------------------------------------------------------


def show(screen: Screen, kind: str, body: Any, slot: str = "", to: set[str] | None = None) -> list[Down]:
    downs = [Down(kind, "c", body, None if to is None else frozenset(to), slot=slot)]
    screen.keep(downs)
    screen.hand(downs)
    screen.accept(downs)
    return list(screen.drawn(downs))


def test_a_part_for_everybody_is_drawn_for_those_with_parts_of_their_own_too() -> None:
    screen = Screen("c", {}, lambda: ["a", "b"])
    show(screen, "canvas", [CanvasItem("own")], "a", {"ann"})
    drawn = show(screen, "canvas", [CanvasItem("b")], "b")
    assert [(down.recipients, down.besides, [item.text for item in down.body]) for down in drawn] == [
        (None, frozenset({"ann"}), ["b"]),
        (frozenset({"ann"}), frozenset(), ["own", "b"]),
    ]


def test_what_a_plugin_showed_that_is_not_loaded_is_kept_and_not_shown() -> None:
    stored: dict[str, Any] = {}
    show(Screen("c", stored, lambda: ["a"]), "buttons", [Button("x", "X")], "a")
    assert Screen("c", stored, lambda: ["b"]).drawn([Down("buttons", "c", [], None, slot="b")])[0].body == []
    kind = DOWN_KINDS["buttons"]
    assert Screen("c", stored, lambda: ["b"]).shown(kind, "ann") is None
    assert Screen("c", stored, lambda: ["a"]).shown(kind, "ann") is not None


def test_a_record_that_cannot_be_read_costs_itself() -> None:
    stored: dict[str, Any] = {"buttons/a": 5, "menu/a": [{"menu_item_id": "x"}], "style/a": [{"widget": "canvas", "display": "invisible"}], "odd": 1}
    screen = Screen("c", stored, lambda: ["a"])
    style = DOWN_KINDS["style"]
    shown = screen.shown(style, "ann")
    assert shown is not None
    assert shown.body == [StyleItem("canvas", "invisible")]
    show(screen, "menu", [MenuItem("y", "Y", "text")], "a")
    assert screen.find(DOWN_KINDS["menu"], "ann", "y") is not None


def test_names_with_slashes_do_not_meet() -> None:
    stored: dict[str, Any] = {}
    screen = Screen("c", stored, lambda: ["a", "a/b"])
    show(screen, "canvas", [CanvasItem("one")], "a", {"b/x"})
    show(screen, "canvas", [CanvasItem("all of a/b")], "a/b")
    again = Screen("c", stored, lambda: ["a", "a/b"])
    kind = DOWN_KINDS["canvas"]
    texts = [[item.text for item in down.body] for member in ("b/x", "other") if (down := again.shown(kind, member))]
    assert texts == [["one", "all of a/b"], ["all of a/b"]]
