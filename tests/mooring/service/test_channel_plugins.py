"""Which plugins serve which channel, by the config, by templates and by what owners switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelService, Moobius
from mooring.made_channels import ChannelRefused
from storage import ConfigError
from tests.service_for_tests import Driver, json_dicts, running
from tests.waiting_for_tests import eventually

SHOUT = '''
"""Shouts."""
from pydantic import BaseModel
from mooring import Button, CanvasItem, Context, Rest, command, every

class Config(BaseModel):
    sign: str = "!"

@command("shout")
async def shout(ctx: Context, words: Rest) -> str:
    """Say it louder."""
    return words.upper() + ctx.plugin.config.sign

async def on_channel_init(ctx: Context) -> None:
    ctx.storage.health_bars["inits"] = ctx.storage.health_bars.get("inits", 0) + 1
    ctx.show("buttons", [Button("shout", "Shout")])
    ctx.show("canvas", [CanvasItem(text="SHOUTED")])

async def on_message_up(ctx: Context, message) -> None:
    ctx.storage.health_bars["heard"] = ctx.storage.health_bars.get("heard", 0) + 1
'''


@pytest.fixture
def shout(tmp_path: Path) -> str:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "shout.py").write_text(SHOUT)
    return str(tmp_path / "own")


CHANNELS: list[Any] = [
    {"id": "tavern", "plugins": ["help", {"name": "shout", "config": {"sign": "?"}}]},
    {"id": "library", "plugins": ["help", "bars"]},
    "attic",
]


async def said(bot: Driver, member: str, text: str, channel: str) -> str:
    before = len(bot.recorder.texts(member, channel))
    answer = await bot.say(member, text, channel)
    return answer.message or "\n".join(bot.recorder.texts(member, channel)[before:])


async def test_commands_hooks_help_bars_and_settings_are_those_of_the_channel(tmp_path: Path, shout: str) -> None:
    async with running(tmp_path, channels=CHANNELS, plugins=["help", "bars", "shout"], plugin_folders=[shout]) as bot:
        for channel in ("tavern", "library", "attic"):
            await bot.join("ann", channel=channel)
        assert await said(bot, "ann", "/shout hey", "tavern") == "HEY?"
        assert await said(bot, "ann", "/shout hey", "attic") == "HEY!"
        assert "There is no command /shout" in await said(bot, "ann", "/shout hey", "library")
        assert "There is no command /hit" in await said(bot, "ann", "/hit @ann 1", "tavern")
        helped = {channel: await said(bot, "ann", "/help", channel) for channel in ("tavern", "library", "attic")}
        assert ("/shout" in helped["tavern"], "/hit" in helped["tavern"]) == (True, False)
        assert ("/shout" in helped["library"], "/hit" in helped["library"]) == (False, True)
        assert ("/shout" in helped["attic"], "/hit" in helped["attic"]) == (True, True)
        await bot.say("ann", "hello", "library")
        assert "heard" not in bot.service.channels["library"].health_bars
        assert "inits" not in bot.service.channels["library"].health_bars
        kinds = {channel: {down.type for down in bot.service.current(channel, "ann")} for channel in ("tavern", "library")}
        assert ("buttons" in kinds["tavern"], "buttons" in kinds["library"]) == (True, False)
        bars = {
            channel: next(
                (each.character_context or {}).get("bars", [])
                for down in bot.service.current(channel, "ann")
                if down.type == "characters"
                for each in down.body
            )
            for channel in ("tavern", "library")
        }
        assert bars["tavern"] == [] and [bar["name"] for bar in bars["library"]] == ["health", "mana"]
        assert list(bot.service.plugin_names("library")) == ["help", "bars"]


async def test_owners_switch_plugins_and_it_stays_so(tmp_path: Path, shout: str) -> None:
    config: dict[str, Any] = {"channels": CHANNELS, "plugins": ["help", "bars", "shout"], "plugin_folders": [shout]}
    async with running(tmp_path, **config) as bot:
        await bot.join("ann", channel="library", role="owner")
        await bot.join("bob", channel="library")
        assert "owner" in await said(bot, "bob", "/plugins on shout", "library")
        assert "Did you mean shout" in await said(bot, "ann", "/plugins on shuot", "library")
        assert "is on here already" in await said(bot, "ann", "/plugins on bars", "library")
        assert "could not be switched on again" in await said(bot, "ann", "/plugins off help", "library")
        assert "serves this channel" in await said(bot, "ann", "/plugins on shout", "library")
        await eventually(lambda: bot.service.channels["library"].health_bars.get("inits") == 1)
        assert await said(bot, "ann", "/shout hey", "library") == "HEY!"
        assert [item.text for item in bot.recorder.last("canvas", "library")] == ["SHOUTED"]
        await said(bot, "ann", "/plugins off bars", "library")
        assert "There is no command /hit" in await said(bot, "ann", "/hit @ann 1", "library")
    async with running(tmp_path, **config) as bot:
        assert list(bot.service.plugin_names("library")) == ["help", "shout"]
        await bot.join("ann", channel="library", role="owner")
        await said(bot, "ann", "/plugins off shout", "library")
        assert bot.recorder.last("canvas", "library") == [] and bot.recorder.last("buttons", "library") == []


async def test_a_template_gives_what_a_channel_does_not_say(tmp_path: Path, shout: str) -> None:
    club = {
        "welcome": "Hello",
        "access": "token",
        "plugins": ["help", {"name": "shout", "config": {"sign": "?"}}],
        "limits": {"history_length": 2},
        "dicts": [{"implementation": "json", "name": "praises", "settings": {"root_dir": str(tmp_path)}}],
        "made_by": "member",
        "most": 3,
        "most_per_member": 1,
    }
    config: dict[str, Any] = {"templates": {"club": club}, "plugins": ["help", "bars", "shout"], "plugin_folders": [shout]}
    async with running(tmp_path, channels=["tavern", {"id": "old", "template": "club", "welcome": "Hi"}], **config) as bot:
        service = bot.service
        await service.create_channel("A", channel_id="a", template="club", made_by="ann", role="member")
        assert service.access("a") == service.access("old") == "token"
        await bot.join("ann", channel="a")
        assert bot.recorder.texts("ann", "a")[-1] == "Hello"
        assert await said(bot, "ann", "/shout hey", "a") == "HEY?"
        service.channels["a"].praises["ann"] = 1
        for _ in range(5):
            await bot.say("ann", "words", "a")
        assert len(service.history("a", "ann")) == 2
        with pytest.raises(ChannelRefused, match="made 1 channels"):
            await service.create_channel("B", channel_id="b", template="club", made_by="ann", role="member")
        with pytest.raises(ChannelRefused, match="Only owners"):
            await service.create_channel("B", channel_id="b", made_by="ann", role="moderator")
        await service.create_channel("B", channel_id="b", template="club", made_by="bob", role="member")
        await service.create_channel("C", channel_id="c", template="club")
        with pytest.raises(ChannelRefused, match="There are 3 channels"):
            await service.create_channel("D", channel_id="d", template="club")
        for fields, words in (
            ({"template": "clbu"}, "did you mean club"),
            ({"plugins": ["shuot"]}, "did you mean shout"),
            ({"plugins": [{"name": "shout", "config": {"sign": 5}}]}, "sign"),
            ({"limits": {"replys": 1}}, "did you mean replies"),
            ({"dicts": [{"implementation": "jsno", "name": "x"}]}, 'did you mean "json"'),
        ):
            with pytest.raises(ChannelRefused, match=words):
                await service.create_channel("E", channel_id="e", **fields)


def test_faults_of_channels_and_templates_are_told_all_at_once(tmp_path: Path, shout: str) -> None:
    config = {
        "channels": [
            {"id": "a", "plugins": ["halp"]},
            {"id": "b", "plugins": [{"name": "bars", "config": {"health": "much"}}]},
            {"id": "c", "template": "clbu"},
            {"id": "d", "plugins": ["help", "help"]},
        ],
        "templates": {"club": {"plugins": ["shuot"], "dicts": [{"implementation": "jsno", "name": "x"}]}},
        "plugins": ["help", "bars", "shout"],
        "plugin_folders": [shout],
    }
    with pytest.raises(ConfigError) as raised:
        ChannelService(service_config=config, db_config=json_dicts(tmp_path))
    text = str(raised.value)
    hints = ["did you mean help", "health", "did you mean club", "more than once", "did you mean shout", "json"]
    for words in ("channel a", "channel b", "channel c", "template club", *hints):
        assert words in text, (words, text)


def test_unknown_fields_deep_in_a_template_are_named_with_the_nearest(tmp_path: Path) -> None:
    config = {"templates": {"club": {"plugins": [{"name": "help", "cnofig": {}}], "limits": {"replys": 3}, "mostt": 1}}, "plugins": ["help"]}
    with pytest.raises(ConfigError) as raised:
        ChannelService(service_config=config, db_config=json_dicts(tmp_path))
    for words in ("did you mean config", "did you mean replies", "did you mean most"):
        assert words in str(raised.value), str(raised.value)


def test_an_sdk_bot_has_the_same_channels(tmp_path: Path) -> None:
    bot = Moobius(service_config={"channels": [{"id": "a", "plugins": ["help"]}], "plugins": ["help", "bars"]}, db_config=json_dicts(tmp_path))
    assert [channel.id for channel in bot._configured.values()] == ["a"]
