"""A bot written for the Moobius SDK runs here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import moobius
import pytest

from mooring import Moobius, types
from mooring.events import Button, MenuItemClick, MessageBody, MessageContent, SimpleAction
from tests.bot_for_tests import QuizBot
from tests.service_for_tests import Driver, json_dicts, running


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Driver[QuizBot]]:
    async with running(tmp_path, QuizBot, channels=["quiz"], db_config=json_dicts(tmp_path, "score")) as driver:
        await driver.join("ann", "bob", channel="quiz")
        yield driver


def last(bot: Driver[QuizBot]) -> Any:
    return bot.recorder.last("message_down", "quiz")


async def test_hooks_are_called_in_the_order_of_a_start(bot: Driver[QuizBot]) -> None:
    assert bot.service.log == ["before_channel_init", "on_channel_init quiz", "on_channel_checkin quiz", "on_start"]
    assert bot.service.client_id == bot.service.service_id == "1"


async def test_a_member_who_joins_is_synced_alone(bot: Driver[QuizBot]) -> None:
    assert bot.recorder.texts("ann", "quiz") == ["welcome"]
    shown = bot.service.current("quiz", "ann")
    [buttons] = [down for down in shown if down.type == "buttons"]
    assert [button.button_id for button in buttons.body] == ["guess", "score"]
    assert isinstance(buttons.body[0], Button)
    assert buttons.recipients == frozenset({"ann"})


async def test_a_message_of_the_agent_goes_to_whom_it_is_for(bot: Driver[QuizBot]) -> None:
    await bot.say("ann", "ping", "quiz")
    assert (last(bot).content.text, last(bot).sender) == ("pong", bot.service.helper.character_id)
    assert bot.recorder.texts("bob", "quiz") == ["welcome"]


async def test_a_relayed_message_is_the_senders_and_for_everybody(bot: Driver[QuizBot]) -> None:
    await bot.say("ann", "hello", "quiz")
    assert (last(bot).content.text, last(bot).sender) == ("hello", "ann")
    await bot.join("eve", channel="quiz")
    assert [down.body.content.text for down in bot.service.history("quiz", "eve")] == ["hello", "welcome"]


async def test_a_whispered_message_stays_between_two(bot: Driver[QuizBot]) -> None:
    await bot.join("eve", channel="quiz")
    await bot.say("ann", "psst", "quiz", to=["bob"])
    assert "psst" in bot.recorder.texts("bob", "quiz")
    assert "psst" in bot.recorder.texts("ann", "quiz")
    assert "psst" not in bot.recorder.texts("eve", "quiz")


@pytest.mark.parametrize(
    ("said", "subtype", "content"),
    [
        ("card", "card", {"link": "https://example.org", "title": "T", "button": "Go", "text": "x"}),
        ("picture", "image", {"path": "pictures/cat.png", "filename": "cat.png"}),
        ("sound", "audio", {"path": "https://example.org/a.mp3"}),
        ("download", "file", {"path": "https://example.org/a.bin", "filename": "data"}),
        ("long", "text", {"text": "xxxxxxxxxx...100 chars"}),
        ("dict", "text", {"text": "from a dict"}),
        ("body", "text", {"text": "from a body"}),
        ("who", "text", {"text": "You are ann"}),
    ],
)
async def test_messages_of_every_form(bot: Driver[QuizBot], said: str, subtype: str, content: dict[str, str]) -> None:
    assert (await bot.say("ann", said, "quiz")).ok
    assert last(bot).subtype == subtype
    assert {name: getattr(last(bot).content, name) for name in content} == content


async def test_a_message_to_nobody_is_not_sent(bot: Driver[QuizBot]) -> None:
    before = len(bot.recorder.downs)
    assert (await bot.say("ann", "nobody", "quiz")).ok
    assert len(bot.recorder.downs) == before


async def test_updates_reach_those_who_are_there(bot: Driver[QuizBot]) -> None:
    await bot.say("ann", "draw", "quiz")
    assert bot.recorder.last("canvas", "quiz")[0].text == "drawn"
    assert bot.recorder.last("style", "quiz")[0].expand is True
    assert [character.name for character in bot.recorder.last("characters", "quiz")] == ["ann", "bob", "Helper"]


async def test_clicks_change_the_storage(bot: Driver[QuizBot]) -> None:
    await bot.click("ann", "score", "quiz")
    await bot.click("ann", "score", "quiz")
    assert bot.service.channels["quiz"].score["ann"] == 2
    assert last(bot).content.text == "2"
    await bot.say("bob", "hello", "quiz")
    item = MenuItemClick("praise", "text", MessageContent(text="hello"), "quiz", "ann")
    await bot.act("menu_item_click", "ann", item, "quiz")
    assert last(bot).content.text == "praise for hello"


async def test_leaves_and_refreshes(bot: Driver[QuizBot]) -> None:
    await bot.act("leave", "bob", SimpleAction("leave", "quiz", "bob"), "quiz")
    assert last(bot).content.text == "bye bob"
    assert await bot.service.fetch_member_ids("quiz") == ["ann"]
    await bot.act("refresh", "ann", SimpleAction("refresh", "quiz", "ann"), "quiz")
    assert bot.recorder.downs[-1].type == "menu"


async def test_a_hook_that_fails_says_nothing(bot: Driver[QuizBot]) -> None:
    assert not (await bot.say("ann", "fail", "quiz")).ok
    assert "never seen" not in bot.recorder.texts("ann", "quiz")


async def test_spells_may_send(bot: Driver[QuizBot]) -> None:
    await bot.service.cast("abracadabra")
    assert last(bot).content.text == "spell abracadabra"


async def test_agents_and_scores_are_there_again_after_a_restart(tmp_path: Path) -> None:
    ids = set()
    for score in (1, 2, 3):
        async with running(tmp_path, QuizBot, channels=["quiz"], db_config=json_dicts(tmp_path, "score")) as driver:
            await driver.join("ann", channel="quiz")
            await driver.click("ann", "score", "quiz")
            assert driver.service.channels["quiz"].score["ann"] == score
            ids.add(driver.service.helper.character_id)
            assert await driver.service.fetch_character_profile([driver.service.helper.character_id]) == [driver.service.helper]
    assert len(ids) == 1


async def test_configs_in_the_forms_of_the_sdk(tmp_path: Path) -> None:
    """One file that names or holds the others, or each on its own."""
    dicts = json_dicts(tmp_path / "store", "score")
    service = {"service_id": "", "channels": ["quiz"], "others": "include", "http_server_uri": "https://example.org", "ws_server_uri": "wss://x"}
    (tmp_path / "db.json").write_text(json.dumps(dicts))
    (tmp_path / "service.json").write_text(json.dumps(service))
    log = {"terminal_log_level": "INFO", "log_file": None, "error_log_file": None, "log_level": "INFO", "log_retention": {"rotation": "1 day"}}
    whole = {"account_config": {"email": "a@example.org"}, "service_config": service, "db_config": str(tmp_path / "db.json"), "log_config": log}
    (tmp_path / "config.json").write_text(json.dumps(whole))
    for bot in (
        QuizBot(config=whole),
        QuizBot(config=str(tmp_path / "config.json")),
        QuizBot(config={**whole, "db_config": []}, db_config=dicts),
        QuizBot(service_config=str(tmp_path / "service.json"), db_config=str(tmp_path / "db.json")),
    ):
        await bot.start()
        assert list(bot.channels) == ["quiz"]
        assert bot.config["service_config"]["channels"] == ["quiz"]
        assert [entry["name"] for entry in bot.config["db_config"]] == ["score"]
        assert bot.channels["quiz"].score is not None
        await bot.stop()


def test_the_sdk_itself_has_what_the_bot_uses() -> None:
    """The names that the bot uses are the SDK's own."""
    for name in vars(QuizBot):
        if not name.startswith("_"):
            assert hasattr(moobius.Moobius, name), name


async def test_configs_as_the_sdk_generates_them(tmp_path: Path) -> None:
    platform = {"http_server_uri": "https://api.moobius.ai/", "ws_server_uri": "wss://ws.moobius.ai/", "others": "include"}
    service = {**platform, "service_id": "", "channels": ["quiz"]}
    log = {"log_level": "TRACE", "terminal_log_level": "SUCCESS", "error_log_level": "WARNING", "log_retention": "7 days", "error_log_file": None}
    bot = Moobius(service_config=service, account_config={"email": "email", "password": "password"}, log_config=log, db_config={})
    await bot.start()
    assert bot.channels["quiz"].names() == ()
    await bot.stop()


def test_types_has_the_words_that_bots_write() -> None:
    words = {"TEXT": "text", "ALL": "all", "CANVAS": "canvas", "BUTTON": "button", "UPDATE_MENU": "menu", "INCLUDE": "include"}
    assert {name: getattr(types, name) for name in words} == words
    assert types.Button is Button
    assert {".png", ".jpg"} <= types.IMAGE_EXTS


async def test_menu_and_style_in_the_words_of_the_sdk(bot: Driver[QuizBot]) -> None:
    await bot.service.send_menu([types.MenuItem("like", "Like", types.ALL)], "quiz", ["ann"])
    await bot.service.send_style([types.StyleItem(widget=types.BUTTON, display="highlight", button_id="guess")], "quiz", ["ann"])
    assert bot.recorder.last("menu", "quiz")[0].message_subtypes == "all"
    assert bot.recorder.last("style", "quiz")[0].widget == "button"


def test_bodies_take_the_sdks_positional_arguments() -> None:
    body = MessageBody("text", "quiz", MessageContent("x"), 1, ["ann"], "bob", "id", None)
    assert (body.timestamp, body.recipients, body.sender, body.message_id) == (1, ["ann"], "bob", "id")
