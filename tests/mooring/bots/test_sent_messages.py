"""A message that was sent can be edited and deleted, in the same event, later, and after a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.testing import Bot, MakeBot

SOURCE = '''
from mooring import CommandError, Context, Rest, command


@command(example="/board text")
async def board(ctx: Context, text: Rest) -> None:
    """Put something on the board."""
    ctx.storage.notes["board"] = ctx.reply(text).id


@command(example="/change text")
async def change(ctx: Context, text: Rest) -> None:
    """Write something else on it."""
    if text == "nothing":
        ctx.messages.edit(ctx.storage.notes["board"], "never")
        raise CommandError("Not that.")
    ctx.messages.edit(ctx.storage.notes["board"], text)


@command(example="/wipe")
async def wipe(ctx: Context) -> None:
    """Wipe it off."""
    ctx.messages.delete(ctx.storage.notes["board"])


@command(example="/twice text")
async def twice(ctx: Context, text: Rest) -> None:
    """Say something, and something else in its place."""
    sent = ctx.tell(ctx.member, text)
    ctx.messages.edit(sent, text * 2)


@command(example="/read")
async def read(ctx: Context) -> str:
    """Read the board."""
    body = ctx.messages.get(ctx.storage.notes["board"])
    return "gone" if body is None else str(body.content.text)
'''


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> Bot:
    file = tmp_path / "boards.py"
    file.write_text(SOURCE)
    return make_bot_on_every_engine(str(file), dicts=["notes"])


def history(bot: Bot, member: str = "bob") -> list[str | None]:
    channel = bot.service.channel_ids()[0]
    return [down.body.content.text for down in bot.service.history(channel, member)]


def test_an_edit_is_what_those_who_come_later_find(bot: Bot) -> None:
    bot.say("ann", "/board one")
    bot.say("ann", "/read")
    bot.say("ann", "/change two")
    assert history(bot)[-2:] == ["two", "one"]
    bot.restart()
    assert history(bot)[-2:] == ["two", "one"]
    bot.say("ann", "/change three")
    assert bot.say("ann", "/read") == "three"


def test_a_refused_edit_is_none(bot: Bot) -> None:
    bot.say("ann", "/board one")
    assert bot.say("ann", "/change nothing") == "Not that."
    assert bot.say("ann", "/read") == "one"


def test_a_deleted_message_leaves_nothing_of_its_text(bot: Bot) -> None:
    bot.say("ann", "/board secret")
    bot.say("ann", "/wipe")
    assert "secret" not in str([down.body for down in bot.service.history(bot.service.channel_ids()[0], "bob")])
    assert bot.say("ann", "/read") == "None"


def test_an_edit_goes_to_those_who_have_the_message(bot: Bot) -> None:
    bot.say("ann", "/twice ha")
    assert history(bot, "ann")[-1] == "haha"
    assert "haha" not in history(bot, "bob")


def test_what_is_gone_cannot_be_edited(bot: Bot) -> None:
    bot.say("ann", "/board one")
    for number in range(600):
        bot.say("ann", str(number))
    assert bot.say("ann", "/change two") == "That message is not there any more."
