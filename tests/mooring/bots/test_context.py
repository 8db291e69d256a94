"""What a handler can do with its Context."""

from __future__ import annotations

from pathlib import Path

import pytest

from mooring.events import Down
from mooring.testing import Bot, MakeBot

SOURCE = '''
import threading
from pathlib import Path
from mooring import (Background, Button, CanvasItem, CommandError, Context, Member, card, command, table)

@command(example="/whisper @bob")
async def whisper(ctx: Context, to: Member) -> None:
    """Tell one member something."""
    ctx.tell(to, f"psst from {ctx.member}")
    ctx.tell("cleo", "psst")

@command(example="/forms")
async def forms(ctx: Context) -> None:
    """Reply in every form."""
    ctx.reply(table(["name", "points"], [["ann", 3], ["bob", 4]], title="Score"))
    ctx.reply(card("Title", "Text", link="https://example.org/", button="Open"))
    ctx.reply(Path("map.png"))

@command(example="/ranks")
async def ranks(ctx: Context) -> object:
    """Return a table."""
    return table(["rank"], [[1]])

@command(example="/show")
async def show(ctx: Context) -> None:
    """Show a canvas and a button."""
    ctx.canvas([CanvasItem(text="for all")])
    ctx.canvas([CanvasItem(text="for bob")], to=[ctx.channel.find("bob")])
    ctx.buttons([Button("vote", "Vote")])

@command(example="/count 3")
async def count(ctx: Context, to: int = 3) -> None:
    """Count with progress."""
    progress = ctx.progress("Counting", to)
    for number in range(1, to + 1):
        await progress.update(number)
    if to > 5:
        raise CommandError("Too far.")
    progress.finish("Counted")

@command(example="/blocking")
def blocking(ctx: Context) -> str:
    """Work in a thread."""
    progress = ctx.progress("Working", 1)
    progress.update(1)
    ctx.storage.notes["thread"] = ctx.storage.notes.get("thread", 0) + 1
    return f"in the main thread: {threading.current_thread() is threading.main_thread()}"

@command(example="/later")
async def later(ctx: Context, fail: bool = False) -> None:
    """Do something after the commit."""
    ctx.storage.notes["later"] = "committed"
    ctx.after_commit(lambda: order.append("called"))
    order.append("returned")
    if fail:
        raise CommandError("No.")

@command(example="/beside")
async def beside(ctx: Context, fail: bool = False) -> str:
    """Work beside the channel."""
    async def work(beside: Background) -> None:
        progress = beside.progress("Fetching", 2)
        await progress.update(1)
        async def keep(ctx: Context) -> str:
            ctx.storage.notes["fetched by"] = ctx.member.name
            ctx.reply("half")
            return "kept"
        assert await beside.in_channel(keep) == "kept"
        await progress.update(2)
        if fail:
            raise CommandError("The other side is down.")
    ctx.background(work)
    return "Fetching."

order = []
'''


@pytest.fixture
def bot(make_bot: MakeBot, tmp_path: Path) -> Bot:
    file = tmp_path / "forms.py"
    file.write_text(SOURCE)
    return make_bot("bars", str(file), dicts=["notes"])


def messages(bot: Bot) -> list[Down]:
    return [down for down in bot.delivered if down.type == "message_down"]


def test_what_is_told_to_one_is_seen_by_nobody_else(bot: Bot) -> None:
    assert bot.say("ann", "/whisper @bob") == ""
    assert bot.heard("bob")[-1] == "psst from ann"
    assert bot.heard("cleo")[-1] == "psst"
    assert "psst from ann" not in bot.heard("cleo") + bot.heard("ann")


def test_replies_have_many_forms(bot: Bot) -> None:
    assert bot.say("ann", "/forms") == "Score\nname | points\nann | 3\nbob | 4\nText\nmap.png"
    bodies = [down.body for down in messages(bot)[-3:]]
    assert [body.subtype for body in bodies] == ["table", "card", "image"]
    assert bodies[0].context["table"] == {"columns": ["name", "points"], "rows": [["ann", "3"], ["bob", "4"]]}
    assert (bodies[1].content.link, bodies[1].content.button) == ("https://example.org/", "Open")
    assert bodies[0].context["command"] == "/forms"


def test_what_is_returned_is_the_reply(bot: Bot) -> None:
    assert bot.say("ann", "/ranks") == "rank\n1"


def test_canvas_and_buttons(bot: Bot) -> None:
    bot.say("ann", "/show")
    assert bot.shown("canvas", "ann")[0].text == "for all"
    assert bot.shown("canvas", "bob")[0].text == "for bob"
    assert bot.shown("buttons", "cleo")[0].button_text == "Vote"


def test_progress_is_one_message_that_changes(bot: Bot) -> None:
    assert bot.say("ann", "/count 3") == "Counted: 3 of 3"
    shown = messages(bot)[-4:]
    assert [down.number > 0 for down in shown] == [False, False, False, True]
    assert len({down.body.message_id for down in shown}) == 1
    assert shown[0].body.context["progress"] == {"done": 1, "total": 3, "label": "Counting"}
    assert shown[3].body.context["progress"] == {"done": 3, "total": 3, "label": "Counted"}


def test_progress_of_what_was_undone_is_not_kept(bot: Bot) -> None:
    assert bot.say("ann", "/count 6") == "Too far."
    assert not any("Counting" in text for text in bot.heard("ann"))
    shown = [down.body.content.text for down in messages(bot) if down.body.subtype == "progress"]
    assert shown[-1] == "Counting (stopped): 6 of 6"


def test_a_plain_function_runs_in_a_thread_in_the_same_transaction(bot: Bot) -> None:
    assert bot.say("ann", "/blocking").splitlines() == ["Working: 1 of 1", "in the main thread: False"]
    assert bot.storage.notes["thread"] == 1


def test_what_comes_after_the_commit_comes_once_and_only_then(bot: Bot) -> None:
    order: list[str] = bot.service.plugins.loaded["forms"].module.order
    bot.say("ann", "/later")
    assert order == ["returned", "called"]
    assert bot.say("ann", "/later yes") == "No."
    bot.again()
    assert order == ["returned", "called", "returned"]


def test_work_beside_the_channel_comes_back_into_it(bot: Bot) -> None:
    assert bot.say("ann", "/beside") == "Fetching."
    bot.settle()
    assert bot.heard("bob")[-2:] == ["half", "Fetching: 2 of 2"]
    assert bot.storage.notes["fetched by"] == "ann"


def test_what_the_work_refuses_is_told(bot: Bot) -> None:
    bot.say("ann", "/beside yes")
    bot.settle()
    assert "The other side is down." in bot.heard("bob")


def test_a_handler_that_hangs_delays_no_other_channel(make_bot: MakeBot, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text('''
import threading
from mooring import Context, command

go_on = threading.Event()

@command(example="/slow")
def slow(ctx: Context) -> str:
    """Block a thread until somebody elsewhere says so."""
    return "freed" if go_on.wait(20) else "timed out"

@command(example="/free")
async def free(ctx: Context) -> str:
    """Let the slow one go on."""
    go_on.set()
    return "ok"
''')
    bot = make_bot(str(tmp_path / "slow.py"), channels=["room", "hall"])
    bot.join("bob", "hall")
    assert bot.in_parallel(("ann", "/slow", "room"), ("bob", "/free", "hall")) == ["freed", "ok"]


def test_context_refuses_those_who_have_not_joined(bot: Bot) -> None:
    bot.leave("bob")
    assert bot.say("ann", "/hit @bob 5").startswith("Nobody here is called bob.")


def test_help_explains_and_lists(bot: Bot) -> None:
    listed = bot.say("ann", "/help")
    assert "/hit target [amount]: Take health from a member." in listed.splitlines()
    assert "/plugins reload" not in listed
    explained = bot.say("ann", "/help /hit").splitlines()
    assert explained == [
        "/hit target [amount]",
        "Take health from a member.",
        "  target: whom",
        "  amount: how many points (may be left out)",
        "Example: /hit @ann 20",
    ]
    assert bot.say("ann", "/help boss hit").startswith("/boss hit [amount]")
    assert bot.say("ann", "/help hti") == "There is no command /hti. Did you mean /hit? Example: /hit @ann 20"
