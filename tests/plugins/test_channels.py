"""`/channel ...` in chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually


def private(bot: Driver, member: str) -> list[str]:
    return bot.recorder.texts(member)


async def test_owners_make_and_unmake_channels_and_nobody_else_does(tmp_path: Path) -> None:
    async with running(tmp_path, plugins=["help", "channels"]) as bot:
        await bot.join("ann", role="owner")
        await bot.join("bob")
        answer = await bot.say("bob", "/channel create club The Club")
        assert not answer.ok and "owner" in answer.message
        assert (await bot.say("ann", "/channel create club The Club")).ok
        await eventually(lambda: "club" in bot.service.channel_ids())
        await bot.join("ann", "bob", channel="club")
        roles = {name: (bot.service.members("club")[name].character_context or {})["role"] for name in ("ann", "bob")}
        assert roles == {"ann": "owner", "bob": "member"}, "who made it looks after it"
        await bot.say("ann", "/channel rename club The Better Club")
        await eventually(lambda: bot.service.channel_info("club").channel_name == "The Better Club")
        await bot.say("ann", "/channel list")
        assert any("club" in text and "Better" in text for text in private(bot, "ann"))
        answer = await bot.say("ann", "/channel delete club", "club")
        assert not answer.ok and "another channel" in answer.message
        assert not (await bot.say("ann", "/channel delete club")).ok
        assert (await bot.say("ann", "/yes")).ok
        await eventually(lambda: "club" not in bot.service.channel_ids())
        await bot.say("ann", "/channel open club")
        await eventually(lambda: "club" in bot.service.channel_ids())
        await bot.say("ann", "/channel archive club")
        await eventually(lambda: "club" not in bot.service.channel_ids())
        answer = await bot.say("ann", "/channel archive tavern")
        assert not answer.ok
        answer = await bot.say("ann", "/channel open tavren")
        assert not answer.ok and "tavren" in answer.message


async def test_a_newcomer_is_welcomed_once(tmp_path: Path) -> None:
    channels: list[Any] = [{"id": "tavern", "welcome": "Sit down."}]
    async with running(tmp_path, channels=channels) as bot:
        await bot.join("ann")
        await bot.join("bob")
        await bot.join("ann")
        assert private(bot, "ann").count("Sit down.") == 1
