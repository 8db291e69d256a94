"""The plugin moderation: who is put out, banned, muted, warned and slowed down, what may not be said, and that it is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring.plugins.moderation.filters import has_foreign_link, has_word
from mooring.testing import Bot, Crashed, MakeBot

WATCHING = '''
from mooring import Button, Context, command

async def on_channel_init(ctx: Context) -> None:
    ctx.buttons([Button("ring", "Ring")])

async def on_button_click(ctx: Context, click) -> None:
    ctx.reply("rung")

async def on_leave(ctx: Context, action) -> None:
    ctx.reply(f"goodbye {ctx.member}")

@command(example="/sing la")
async def sing(ctx: Context, what: str) -> str:
    """Sing."""
    return f"{ctx.member} sings"
'''


@pytest.fixture
def bot(make_bot_on_every_engine: MakeBot, tmp_path: Path) -> Bot:
    return moderated(make_bot_on_every_engine, tmp_path)


def moderated(make_bot: MakeBot, folder: Path, **config: Any) -> Bot:
    (folder / "watching.py").write_text(WATCHING)
    bot = make_bot("moderation", str(folder / "watching.py"), config={"moderation": config})
    bot.join("mo", role="moderator")
    bot.join("max", role="moderator")
    bot.join("olga", role="owner")
    return bot


def is_in(bot: Bot, name: str) -> bool:
    return name in bot.service.members("room")


def joined(bot: Bot, name: str) -> str:
    """What is said to who wants to come in; empty if they are in."""
    said = bot.join(name)
    return "" if is_in(bot, name) else said


def test_who_is_kicked_is_out_and_may_come_back(bot: Bot) -> None:
    assert "goodbye ann" in bot.say("mo", "/kick @ann too loud")
    assert "ann was put out: too loud." in bot.heard("bob")[-1]
    assert not is_in(bot, "ann")
    assert "Join the channel first" in bot.say("ann", "hello")
    bot.join("ann")
    assert is_in(bot, "ann")


def test_who_is_banned_stays_out_for_the_time_and_over_restarts(bot: Bot) -> None:
    assert "bob is banned for 2d: spam." in bot.say("mo", "/ban @bob 2d spam")
    assert not is_in(bot, "bob")
    bot.restart()
    assert "You are banned from this channel for another 2d: spam." in joined(bot, "bob")
    bot.advance("1d")
    assert "for another 1d" in joined(bot, "bob")
    bot.advance("1d")
    assert joined(bot, "bob") == ""


def test_a_ban_for_ever_ends_when_it_is_taken_back(bot: Bot) -> None:
    bot.say("mo", "/ban @bob")
    assert "You are banned from this channel." in joined(bot, "bob")
    assert "Nobody called bib is banned here. Did you mean bob?" in bot.say("mo", "/unban bib")
    bot.say("mo", "/unban @bob")
    assert joined(bot, "bob") == ""


def test_who_is_muted_neither_speaks_nor_commands_nor_clicks(bot: Bot) -> None:
    bot.say("mo", "/mute @ann 10m")
    for refused in (bot.say("ann", "hello"), bot.say("ann", "/sing la"), bot.click("ann", "ring")):
        assert refused == "You are muted for another 10m."
    assert bot.say("bob", "/sing la") == "bob sings"
    bot.advance("9m")
    bot.restart()
    assert bot.say("ann", "/sing la") == "You are muted for another 1m."
    bot.advance("1m")
    assert bot.say("ann", "/sing la") == "ann sings"
    bot.say("mo", "/mute @ann 10m")
    bot.say("mo", "/mute @ann 0s")
    assert bot.say("ann", "/sing la") == "ann sings"


def test_a_slow_channel_takes_one_message_of_each_at_a_time(bot: Bot) -> None:
    bot.say("mo", "/slow 30s")
    assert bot.say("ann", "/sing la") == "ann sings"
    assert bot.say("ann", "/sing la") == "This channel is slowed down. Wait for another 30s."
    assert bot.say("bob", "/sing la") == "bob sings"
    assert bot.say("mo", "/sing la") == bot.say("mo", "/sing la") == "mo sings"
    bot.advance("30s")
    assert bot.say("ann", "/sing la") == "ann sings"
    bot.say("mo", "/slow 0s")
    assert bot.say("ann", "/sing la") == "ann sings"


def test_nobody_moderates_their_like_or_those_above(bot: Bot) -> None:
    for line in ("/kick", "/ban", "/mute", "/warn"):
        more = " 10m" if line == "/mute" else " no" if line == "/warn" else ""
        for whom in ("max", "olga"):
            assert bot.say("mo", f"{line} @{whom}{more}") == f"{whom} is not for you to moderate."
        assert bot.say("mo", f"{line} @mo{more}") == "That is you."
        assert "is for moderators of this channel" in bot.say("ann", f"{line} @bob{more}")
    bot.say("olga", "/kick @max")
    assert not is_in(bot, "max")


def test_all_that_is_done_is_in_the_audit_for_those_in_charge(bot: Bot) -> None:
    bot.say("mo", "/warn @ann mind your words")
    assert "Warnings so far: 2." in bot.say("max", "/warn @ann again")
    bot.advance("1h")
    bot.say("olga", "/kick @bob out")
    bot.restart()
    rows = [line.split(" | ") for line in bot.say("mo", "/audit 2").splitlines()[-2:]]
    assert [" ".join(row) for row in rows] == ["0s olga kick bob out", "1h max warn ann again"]
    assert "mind your words" in bot.say("mo", "/audit")
    assert "is for moderators" in bot.say("ann", "/audit")


def test_the_audit_keeps_the_newest(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = moderated(make_bot, tmp_path, audit_length=3)
    for number in range(5):
        bot.say("mo", f"/warn @ann reason{number}")
    told = bot.say("mo", "/audit 10")
    assert [number for number in range(5) if f"reason{number}" in told] == [2, 3, 4]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_ban_is_whole_or_not_there_after_a_crash(bot: Bot, when: Any) -> None:
    bot.crash_at(1, when)
    with pytest.raises(Crashed):
        bot.say("mo", "/ban @bob spam")
    bot.again()
    assert not is_in(bot, "bob")
    assert "You are banned" in joined(bot, "bob")
    assert bot.say("mo", "/audit").count("ban") == 1


def test_words_and_links_that_are_not_wanted(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = moderated(make_bot, tmp_path, words=["scunthorpe"], links="refuse", link_hosts=["example.org"])
    assert "a word that is not wanted" in bot.say("ann", "I like Scunthorpe!")
    assert "a word that is not wanted" in bot.say("ann", "/sing scunthorpe")
    assert "Links are not wanted" in bot.say("ann", "see https://evil.test/x")
    assert bot.say("ann", "/sing https://docs.example.org/a") == "ann sings"
    assert bot.say("mo", "/sing scunthorpe") == "mo sings"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bad", True),
        ("BÄD", True),
        ("b\u200dad", True),
        ("ｂａｄ", True),
        ("b\u0301ad", True),
        ("badly", False),
        ("not bad.", True),
        ("", False),
        ("a bad-tempered cat", True),
    ],
)
def test_words_are_found_under_disguises_and_not_inside_of_others(text: str, found: bool) -> None:
    assert has_word(text, ["bad", "", "two words"]) is found


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("https://example.org/a", False),
        ("www.example.org", False),
        ("https://a.b.EXAMPLE.org:8080/", False),
        ("https://example.org.evil.test/", True),
        ("https://example.org@evil.test/", True),
        ("https://notexample.org", True),
        ("ｈｔｔｐｓ://evil.test", True),
        ("http://[", True),
        ("no link at all, e.g. here", False),
        ("https://example.org and https://evil.test", True),
    ],
)
def test_links_are_judged_by_where_they_lead(text: str, foreign: bool) -> None:
    assert has_foreign_link(text, ["example.org"]) is foreign


def test_owners_say_who_looks_after_the_channel(bot: Bot) -> None:
    assert "is for owners of this channel" in bot.say("mo", "/role @ann moderator")
    assert "ann is a moderator here from now on." in bot.say("olga", "/role @ann moderator")
    assert "bob is warned" in bot.say("ann", "/warn @bob careful")
    bot.restart()
    assert "bob is warned" in bot.say("ann", "/warn @bob careful")
    bot.say("olga", "/role @mo member")
    assert "is for moderators" in bot.say("mo", "/warn @bob careful")
    bot.join("mo", role="moderator")
    assert "is for moderators" in bot.say("mo", "/warn @bob careful"), "a token does not undo it"
    assert bot.say("olga", "/role @olga member") == "That is you. Another owner can do it."
    assert "olga role moderator ann" in bot.say("max", "/audit").replace(" | ", " ")


def test_who_leaves_and_comes_back_has_no_role_that_the_channel_gave(bot: Bot) -> None:
    bot.say("olga", "/role @ann moderator")
    bot.leave("ann")
    bot.join("ann")
    assert "is for moderators" in bot.say("ann", "/warn @bob careful")


def test_members_ignore_whom_they_like_and_nobody_learns_of_it(bot: Bot) -> None:
    bot.say("bob", "before")
    assert bot.say("ann", "/ignore @bob") == "You hear nothing of bob any more."
    assert bot.say("ann", "/ignore") == "You ignore bob."
    bot.restart()
    bot.say("bob", "can you hear me?")
    assert "can you hear me?" in bot.heard("cleo")
    assert "can you hear me?" not in bot.heard("ann")
    shown = [down.body.content.text for down in bot.service.history("room", "ann", limit=100)]
    assert "before" not in shown
    assert "bob sings" in bot.say("bob", "/sing la")
    assert "bob sings" in bot.heard("ann"), "what the channel itself says is heard"
    assert bot.say("ann", "/unignore @bob") == "You hear bob again."
    bot.say("bob", "and now?")
    assert "and now?" in bot.heard("ann")
    shown = [down.body.content.text for down in bot.service.history("room", "ann", limit=100)]
    assert "can you hear me?" in shown
    assert bot.say("ann", "/ignore @ann") == "That is you."
    assert bot.say("ann", "/ignore") == "You ignore nobody who is here."


@pytest.mark.parametrize("when", ["before", "after"])
def test_ignoring_is_whole_or_not_there_after_a_crash(bot: Bot, when: Any) -> None:
    bot.crash_at(1, when)
    with pytest.raises(Crashed):
        bot.say("ann", "/ignore @bob")
    bot.say("bob", "hello")
    assert ("hello" in bot.heard("ann")) is (when == "before")
    bot.again()
    bot.leave("ann")
    bot.join("ann")
    assert bot.say("ann", "/ignore") == "You ignore nobody who is here."


def texts(bot: Bot) -> list[str | None]:
    return [down.body.content.text for down in bot.service.history("room", "mo", limit=100)]


def test_messages_are_deleted_by_a_command(bot: Bot) -> None:
    for word in ("one", "two", "three", "four"):
        bot.say("ann", word)
    bot.say("bob", "innocent")
    assert "is for moderators" in bot.say("bob", "/delete @ann")
    assert bot.say("mo", "/delete @ann").splitlines()[-1] == "The message is deleted."
    assert bot.say("mo", "/delete @ann 2").splitlines()[-1] == "2 messages are deleted."
    kept = texts(bot)
    assert [word for word in ("one", "two", "three", "four", "innocent") if word in kept] == ["one", "innocent"]
    first = next(down for down in bot.service.history("room", "mo", limit=100) if down.body.content.text == "one")
    assert bot.say("mo", f"/delete {first.number}").splitlines()[-1] == "The message is deleted."
    innocent = next(down for down in bot.service.history("room", "mo", limit=100) if down.body.content.text == "innocent")
    assert bot.say("mo", f"/delete {innocent.body.message_id}").splitlines()[-1] == "The message is deleted."
    assert {"one", "innocent"}.isdisjoint(texts(bot))
    assert bot.say("mo", "/delete @ann") == "ann has said nothing that is still there."
    assert "Nobody here is called 12345" in bot.say("mo", "/delete 12345")
    assert "From 1 to 50" in bot.say("mo", "/delete @ann 51")
    assert bot.say("mo", "/audit 50").count("| delete | ann") == 4
    bot.restart()
    assert {"one", "two", "three", "four", "innocent"}.isdisjoint(texts(bot))


def test_nobody_deletes_what_they_cannot_see(bot: Bot) -> None:
    bot.say("ann", "/ignore")  # answered to ann alone
    whispered = bot.service.history("room", "ann", limit=100)[-1]
    assert whispered.recipients == frozenset({"ann"})
    assert "Nobody here is called" in bot.say("mo", f"/delete {whispered.number}")
    assert "Nobody here is called" in bot.say("mo", f"/delete {whispered.body.message_id}")


def test_to_leave_is_no_way_out_of_a_ban(bot: Bot) -> None:
    bot.leave("bob")
    bot.leave("olga")
    bot.restart()
    assert "bob is banned for 2d: spam." in bot.say("mo", "/ban @bob 2d spam")
    assert "You are banned from this channel for another 2d: spam." in joined(bot, "bob")
    assert "olga is not for you to moderate." in bot.say("mo", "/ban olga")
    assert "Nobody here is called nobody" in bot.say("mo", "/ban nobody")
    bot.leave("ann")
    bot.join("ann")
    assert "ann is banned." in bot.say("mo", "/ban ann")
    assert not is_in(bot, "ann")
    bot.say("mo", "/unban bob")
    assert joined(bot, "bob") == ""
