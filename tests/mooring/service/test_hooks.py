"""What the service does with events when no hook is overridden, and who is told what."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mooring import ChannelService
from mooring.channels.members import Members
from mooring.channels.members_in_turn import MembersInTurn, NameTaken
from mooring.events import Down, MenuItemClick, MessageBody, MessageContent, SimpleAction
from mooring.text import fold_name
from tests.service_for_tests import Driver, json_dicts, running

PLUGIN = '''
"""Writes down which hooks were called."""
from mooring import Button, CanvasItem, Context, CommandError, MenuItem, command

async def on_channel_init(ctx):
    ctx.storage.notes["log"] = []
    ctx.canvas([CanvasItem(text="drawn at the start")])

async def on_join(ctx, action):
    ctx.storage.notes["log"].append(f"join {ctx.member.name}")
    ctx.buttons([Button("b", "Press")], to=[ctx.member])

def on_leave(ctx, action):
    ctx.storage.notes["log"].append(f"leave {ctx.member.name}")

def on_message_up(ctx, message):
    if "forbidden" in message.content.text:
        raise CommandError("We do not say that here.")
    ctx.storage.notes["log"].append(f"message {message.content.text}")

async def on_button_click(ctx, click):
    ctx.menu([MenuItem("copy", "Copy", ["text"])], to=[ctx.member])
    ctx.reply(f"{ctx.member.name} pressed {click.button_id}")

async def on_menu_item_click(ctx, click):
    ctx.tell(ctx.member, f"chose {click.menu_item_id}")

async def on_refresh(ctx, action):
    ctx.storage.notes["log"].append(f"refresh {ctx.member.name}")

@command(example="/secret x")
async def secret(ctx: Context, text: str) -> None:
    """Tell yourself something."""
    ctx.tell(ctx.member, text)
'''


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Driver[ChannelService]]:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.py").write_text(PLUGIN)
    channels = [{"id": "tavern", "name": "The Tavern", "description": "a place", "access": "token"}, "library"]
    folders, dicts = [str(tmp_path / "mine")], json_dicts(tmp_path, "health_bars", "mana_bars", "notes")
    async with running(tmp_path, channels=channels, plugins=["bars", "notes"], plugin_folders=folders, db_config=dicts) as driver:
        await driver.join("ann", "bob")
        yield driver


def log(bot: Driver[ChannelService]) -> list[str]:
    return list(bot.service.channels["tavern"].notes["log"])


# -- messages ----------------------------------------------------------------------------------------------------------


async def test_what_is_said_is_shown_to_all(bot: Driver[ChannelService]) -> None:
    await bot.say("ann", "hello")
    body = bot.recorder.last("message_down")
    assert (body.content.text, body.sender, body.recipients) == ("hello", "ann", [])
    assert body.message_id
    assert body.timestamp > 0


async def test_two_slashes_say_one(bot: Driver[ChannelService]) -> None:
    assert (await bot.say("ann", "//bars are nice")).ok
    assert bot.recorder.texts()[-1] == "/bars are nice"


async def test_a_command_line_is_not_shown_and_not_a_message_for_hooks(bot: Driver[ChannelService]) -> None:
    await bot.say("ann", "/secret 4711")
    assert bot.recorder.texts("bob")[-1] != "4711"
    assert bot.recorder.texts("ann")[-1] == "4711"
    assert not any("secret" in entry for entry in log(bot))


async def test_a_hook_may_refuse_a_message(bot: Driver[ChannelService]) -> None:
    answer = await bot.say("ann", "a forbidden word")
    assert (answer.ok, answer.message) == (False, "We do not say that here.")
    assert "a forbidden word" not in bot.recorder.texts("bob")
    assert "We do not say that here." not in bot.recorder.texts("bob")


async def test_the_sender_and_the_channel_are_what_the_gateway_says(bot: Driver[ChannelService]) -> None:
    forged = MessageBody("text", "library", MessageContent(text="I am bob"), sender="bob")
    await bot.act("message_up", "ann", forged)
    body = bot.recorder.last("message_down")
    assert (body.sender, body.channel_id) == ("ann", "tavern")


async def test_a_whisper_to_a_stranger_reaches_nobody_else(bot: Driver[ChannelService]) -> None:
    await bot.say("ann", "psst", to=["eve"])
    assert "psst" not in bot.recorder.texts("bob")
    await bot.join("eve")
    assert "psst" not in [down.body.content.text for down in bot.service.history("tavern", "eve")]


async def test_clicks_and_refreshes_reach_the_plugins(bot: Driver[ChannelService]) -> None:
    await bot.click("ann", "b")
    assert bot.recorder.texts()[-1] == "ann pressed b"
    await bot.act("menu_item_click", "ann", MenuItemClick("copy", "text", MessageContent(text="ann pressed b"), "tavern", "ann"))
    assert bot.recorder.texts("ann")[-1] == "chose copy"
    await bot.act("refresh", "ann", SimpleAction("refresh", "tavern", "ann"))
    assert log(bot)[-1] == "refresh ann"


# -- coming and going --------------------------------------------------------------------------------------------------


async def test_who_comes_is_announced_and_listed_and_who_goes_is_not_listed_any_more(bot: Driver[ChannelService]) -> None:
    assert [text for text in bot.recorder.texts() if "joined" in text] == ["ann joined", "bob joined"]
    assert [character.name for character in bot.recorder.last("character_changes").changed] == ["bob"]
    await bot.act("leave", "bob", SimpleAction("leave", "tavern", "bob"))
    assert bot.recorder.texts()[-1] == "bob left"
    assert bot.recorder.last("character_changes").removed == ["bob"]
    assert log(bot) == ["join ann", "join bob", "leave bob"]
    assert not (await bot.say("bob", "still here?")).ok


async def test_who_comes_back_is_shown_everything_and_not_announced(bot: Driver[ChannelService]) -> None:
    before = len(bot.recorder.texts())
    await bot.join("ann")
    assert len(bot.recorder.texts()) == before
    assert log(bot)[-1] == "refresh ann"


async def test_members_are_members_after_a_restart_and_offline_until_they_come(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        await driver.join("ann", role="moderator")
    async with running(tmp_path) as driver:
        [ann] = driver.service.members("tavern").values()
        assert (ann.name, ann.character_context) == ("ann", {"role": "moderator", "online": False})
        driver.service.presence("tavern", "ann", True)
        [shown] = driver.recorder.last("character_changes").changed
        assert shown.character_context["online"] is True
        assert driver.recorder.last("character_count").online == 1
        driver.service.presence("tavern", "ann", True)
        assert len(driver.recorder.downs) == 2, "what is no news is not sent"


@pytest.mark.parametrize("name", ["ann", "ANN", "\uff41nn", "a\u200bnn", " ann "])
async def test_a_name_that_is_taken_is_refused_in_every_disguise(bot: Driver[ChannelService], name: str) -> None:
    answer = await bot.act("join", "eve", SimpleAction("join", "tavern", "eve", {"name": name}))
    assert not answer.ok
    assert "is taken" in answer.message
    assert "eve" not in bot.service.members("tavern")


async def test_a_refused_newcomer_gets_no_line_into_the_history(bot: Driver[ChannelService]) -> None:
    last = bot.service.last_number("tavern")
    await bot.act("join", "eve", SimpleAction("join", "tavern", "eve", {"name": "ann"}))
    assert bot.service.last_number("tavern") == last


def test_different_names_stay_different() -> None:
    names = ["ann", "anna", "änn", "an n", "阿", "🙂", "🙃", ""]
    assert len({fold_name(name) for name in names}) == len(names)


def test_a_member_may_change_name_and_role_and_keep_the_place() -> None:
    members = Members({})
    assert join(members, "1", "ann", None) is True
    assert join(members, "2", "bob", "owner") is True
    assert join(members, "1", "Ann", "moderator") is False
    assert [(one.name, (one.character_context or {})["role"]) for one in members.values()] == [("Ann", "moderator"), ("bob", "owner")]
    join(members, "1", "Ann", "emperor")
    assert (members["1"].character_context or {})["role"] == "moderator", "a role that nobody knows changes nothing"
    with pytest.raises(NameTaken):
        join(members, "1", "BOB", None)
    join(members, "1", "Zoe", None)
    assert join(members, "3", "ann", None) is True, "a name that was given up is free"
    with pytest.raises(NameTaken):
        join(members, "4", "zoe", None)


def join(members: Members, member_id: str, name: str, role: str | None) -> bool:
    turn = MembersInTurn(members)
    is_new = turn.join(member_id, name, role, 5.0)
    assert turn[member_id].name == name
    members.accept(turn.changes)
    return is_new


def test_nobody_sees_who_comes_and_goes_before_it_is_accepted() -> None:
    members = Members({})
    join(members, "1", "ann", None)
    turn = MembersInTurn(members)
    turn.join("2", "bob", None, 5.0)
    turn.leave("1")
    assert (list(turn), len(turn), "1" in turn, "2" in turn) == (["2"], 1, False, True)
    assert (list(members), len(members), "1" in members, "2" in members) == (["1"], 1, True, False)
    assert turn.get("1") is None
    members.accept(turn.changes)
    assert list(members) == ["2"]


# -- what is shown -----------------------------------------------------------------------------------------------------


def kinds(downs: list[Down]) -> list[str]:
    return [down.type for down in downs]


async def test_a_newcomer_is_drawn_the_whole_state(bot: Driver[ChannelService]) -> None:
    shown = bot.service.current("tavern", "ann")
    assert sorted(kinds(shown)) == ["buttons", "canvas", "channel_info", "character_count", "characters"]
    info = next(down.body for down in shown if down.type == "channel_info")
    assert (info.channel_name, info.channel_description) == ("The Tavern", "a place")
    assert kinds(bot.service.current("library", "ann")) == ["channel_info", "characters", "character_count", "canvas"]
    assert (bot.service.access("tavern"), bot.service.access("library")) == ("token", "open")


async def test_what_is_for_one_member_is_drawn_for_that_member(bot: Driver[ChannelService]) -> None:
    async def draw(ctx: object) -> None:
        await bot.service.send_canvas([], "tavern")
        await bot.service.send_menu([], "tavern", "ann")

    await bot.service.in_channel("tavern", draw)
    assert "menu" in kinds(bot.service.current("tavern", "ann"))
    assert "menu" not in kinds(bot.service.current("tavern", "bob"))
    await bot.act("leave", "ann", SimpleAction("leave", "tavern", "ann"))
    assert "menu" not in kinds(bot.service.current("tavern", "ann"))


async def test_changed_bars_are_shown_by_themselves(bot: Driver[ChannelService]) -> None:
    before = kinds(bot.recorder.downs).count("character_changes")
    await bot.say("ann", "hello")
    assert kinds(bot.recorder.downs).count("character_changes") == before
    await bot.say("ann", "/hit @bob 20")
    [bob] = bot.recorder.last("character_changes").changed
    assert [bar["value"] for bar in bob.character_context["bars"]] == [80, 100]
    assert kinds(bot.recorder.downs)[-1] == "character_changes", "after the words that explain it"


async def test_a_list_that_a_service_sent_itself_stays_its_own_and_its_bars_stay_true(bot: Driver[ChannelService]) -> None:
    agent = await bot.service.create_agent("Innkeeper")
    await bot.service.send_characters(["bob", agent], "tavern")
    bob, innkeeper = bot.recorder.last("characters")
    assert (bob.name, innkeeper.name) == ("bob", "Innkeeper")
    assert bob.character_context["bars"][0]["value"] == 100
    await bot.say("ann", "/hit @bob 20")
    [bob] = bot.recorder.last("character_changes").changed
    assert bob.character_context["bars"][0]["value"] == 80
    await bot.join("cleo")
    assert bot.recorder.last("character_changes").changed == [bob], "the service does not show cleo"


async def test_sends_to_another_channel_leave_after_the_commit_and_in_that_channels_order(bot: Driver[ChannelService]) -> None:
    async def work(ctx: object) -> None:
        await bot.service.send_message("from the tavern", "library")
        assert bot.recorder.texts(channel="library") == []

    await bot.service.in_channel("tavern", work)
    while not bot.recorder.texts(channel="library"):
        await asyncio.sleep(0)
    assert bot.recorder.texts(channel="library") == ["from the tavern"]

    async def failing(ctx: object) -> None:
        await bot.service.send_message("never", "library")
        raise LookupError

    with pytest.raises(LookupError):
        await bot.service.in_channel("tavern", failing)
    await bot.service.send_message("last", "library")
    assert bot.recorder.texts(channel="library") == ["from the tavern", "last"]


async def test_unreadable_data_is_told_to_those_who_look_after_the_channel(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        await driver.join("ann")
        driver.service.channels["tavern"].health_bars.update({"ann": 1, "bob": 2})
    file = tmp_path / "service_1" / "channel_tavern" / "health_bars.json"
    file.write_text(re.sub(r'"bob": ?2', '"bob":}2', file.read_text()))
    async with running(tmp_path) as driver:
        assert dict(driver.service.channels["tavern"].health_bars) == {"ann": 1}, "one broken key costs one key"
        await driver.join("ann")
        assert driver.recorder.texts("ann") == []
        await driver.join("eve", role="moderator")
        told = driver.recorder.texts("eve")[-1]
        assert "set aside" in told
        assert "health_bars" in told
        assert "set aside" not in " ".join(driver.recorder.texts("ann"))
