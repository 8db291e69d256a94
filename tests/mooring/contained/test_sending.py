"""What cannot be sent is refused before the commit, and everybody can still come in, also after a restart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mooring.testing import Bot, MakeBot
from tests.process_for_tests import member, start, write_configs

SOURCE = '''
from mooring import BottomButton, Button, CanvasItem, Context, Dialog, InputComponent, MenuItem, MessageBody
from mooring import MessageContent, Rest, StyleItem, card, command, table

LONE = "\\ud800"
SHARED = [CanvasItem(text="fine")]


def context(ctx, value):
    ctx.reply(MessageBody("text", "", MessageContent(text="x"), context={"extra": value}))


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


BAD = {
    "reply": lambda ctx: ctx.reply(LONE),
    "tell": lambda ctx: ctx.tell(ctx.member, f"a{LONE}b"),
    "to nobody": lambda ctx: ctx.tell(LONE, "hello"),
    "table": lambda ctx: ctx.reply(table(["a"], [[LONE]])),
    "card": lambda ctx: ctx.reply(card("title", "text", LONE, "button")),
    "canvas": lambda ctx: ctx.canvas([CanvasItem(text=LONE)]),
    "bars": lambda ctx: ctx.canvas([CanvasItem(bars=[{"name": object()}])]),
    "button": lambda ctx: ctx.buttons([Button("a", LONE)]),
    "dialog": lambda ctx: ctx.buttons([Button("a", "b", Dialog("c", [InputComponent(LONE, "text")], [BottomButton("d", "e", True)]))]),
    "menu": lambda ctx: ctx.menu([MenuItem("a", LONE, "text")]),
    "style": lambda ctx: ctx.style([StyleItem("canvas", LONE)]),
    "object": lambda ctx: context(ctx, object()),
    "function": lambda ctx: context(ctx, len),
    "deep": lambda ctx: context(ctx, deep()),
    "wrong type": lambda ctx: ctx.buttons([Button(5, 6)]),
    "no items": lambda ctx: ctx.canvas([1, 2, 3]),
    "long": lambda ctx: ctx.reply("x" * 2_000_000),
    "long canvas": lambda ctx: ctx.canvas([CanvasItem(text="x" * 2_000_000)]),
    "many": lambda ctx: [ctx.reply(str(number)) for number in range(10_000)],
    "endless": lambda ctx: [ctx.reply("x") for _ in iter(int, 1)],
    "many updates": lambda ctx: [ctx.canvas([]) for number in range(10_000)],
}


@command(example="/send reply")
async def send(ctx: Context, what: Rest) -> str:
    """Send what cannot be sent."""
    ctx.storage.notes["left"] = what
    BAD[what](ctx)
    return "sent"


@command(example="/progress")
async def progress(ctx: Context) -> None:
    """End a progress with what cannot be sent."""
    ctx.storage.notes["left"] = "progress"
    ctx.progress("going").finish(LONE)


@command("return", example="/return")
async def return_it(ctx: Context) -> str:
    """Return it."""
    ctx.storage.notes["left"] = "return"
    return LONE


@command(example="/share")
async def share(ctx: Context) -> str:
    """Show what is changed later."""
    ctx.canvas(SHARED)
    extra = {"mine": [1]}
    ctx.reply(MessageBody("text", "", MessageContent(text="shared"), context=extra))
    extra["mine"].append(object())
    return "shown"


@command(example="/spoil")
async def spoil(ctx: Context) -> str:
    """Change it."""
    SHARED[0].text = LONE
    SHARED.append(object())
    return "spoilt"


@command(example="/fine")
async def fine(ctx: Context) -> str:
    """Show what was kept."""
    ctx.canvas([CanvasItem(text="fine")])
    return f"left {ctx.storage.notes.get('left')}"
'''

BAD = re.findall(r'^    "([\w ]+)": lambda', SOURCE, re.MULTILINE)


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    (tmp_path / "sending.py").write_text(SOURCE)
    return make_bot(str(tmp_path / "sending.py"), dicts=["notes"])


@pytest.mark.parametrize("line", [*(f"/send {what}" for what in BAD), "/progress", "/return"])
def test_it_is_the_handlers_fault(bot: Bot, line: str, caplog: pytest.LogCaptureFixture) -> None:
    said = bot.say("ann", line)
    assert re.fullmatch(r"Something went wrong here \(reference \w+\); nothing was changed\.", said)
    assert f"sending: {line.split(maxsplit=1)[0]}" in caplog.text
    assert "Unsendable" in caplog.text
    assert bot.say("bob", "/fine") == "left None"
    assert bot.heard("bob")[-1] == "left None"
    assert len(bot.heard("ann")) < 20


def test_what_was_sent_does_not_change_with_what_it_was_made_of(bot: Bot) -> None:
    bot.say("ann", "/share")
    bot.say("ann", "/spoil")
    assert [item.text for item in bot.shown("canvas", "bob")] == ["fine"]
    shared = next(down for down in bot.delivered if down.type == "message_down" and down.body.content.text == "shared")
    assert shared.body.context["mine"] == [1]


def test_how_much_is_too_much_is_for_the_operator_to_say(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "sending.py").write_text(SOURCE)
    bot = make_bot(str(tmp_path / "sending.py"), dicts=["notes"], limits={"reply_bytes": 3_000_000, "replies": 20_000})
    assert bot.say("ann", "/send long").startswith("xxx")
    assert bot.say("ann", "/send many").startswith("0\n1\n2\n")


def test_a_name_that_cannot_be_shown_does_not_come_in(bot: Bot) -> None:
    assert bot.join("\ud800") == "This name holds what is no character; choose another."
    assert bot.say("ann", "/fine") == "left None"


@pytest.mark.parametrize(
    "source",
    [
        '"""Lone \\ud800"""\n',
        'from mooring import command\n@command(example="/x")\nasync def x(ctx):\n    """Lone \\ud800"""\n',
        'from mooring import BarSpec\nBARS = [BarSpec("a", "notes", "\\ud800")]\n',
    ],
)
def test_a_plugin_that_would_show_it_to_all_is_not_loaded(bot: Bot, tmp_path: Path, source: str) -> None:
    (tmp_path / "sending.py").write_text(source)
    bot.join("mo", role="moderator")
    bot.say("mo", "/plugins reload sending")
    bot.settle()
    assert "Plugin sending stays as it was: a plugin holds what cannot be sent" in bot.heard("mo")[-1]


async def test_everybody_can_come_in_through_the_door_after_a_restart_too(tmp_path: Path) -> None:
    (tmp_path / "sending.py").write_text(SOURCE)
    dicts = [{"implementation": "json", "name": "notes", "settings": {"root_dir": "json_db"}}]
    options = write_configs(tmp_path, plugins=["sending", "web"], plugin_folders=["."], db=dicts, limits={"replies": 1000})
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann:
        for line in [*(f"/send {what}" for what in BAD), "/progress", "/share", "/spoil"]:
            await ann.say(line)
        async with member(process.address, name="bob") as bob:
            assert (await bob.say("/fine"))["body"]["ok"]
            assert "left None" in bob.texts()
    await process.end()
    process = await start(tmp_path, *options)
    async with member(process.address, name="cleo") as cleo:
        assert (await cleo.say("/fine"))["body"]["ok"]
    await process.end()
