"""Channels that are made, renamed, archived and deleted while the service runs."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelMessage, ChannelService, MessageBody, UnknownChannel
from mooring.made_channels import ChannelRefused
from storage import MoobiusStorage
from storage.json.table import Table
from tests.service_for_tests import running
from tests.waiting_for_tests import eventually


class Counting(ChannelService):
    """`count` counts in the channel; `make ID` makes a channel, greets in it, and may fail then; `send ID` sends there."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.opened: list[str] = []
        self.returned: list[ChannelMessage] = []

    async def on_channel_init(self, channel_id: str) -> None:
        self.opened.append(channel_id)
        self.channels[channel_id] = await asyncio.to_thread(MoobiusStorage, self.service_id, channel_id, self.config["db_config"])

    async def on_message_up(self, message: MessageBody) -> None:
        bars = self.channels[message.channel_id].health_bars
        word, _, rest = (message.content.text or "").partition(" ")
        if word == "count":
            bars["n"] = bars.get("n", 0) + 1
            await self.send_message(str(bars["n"]), message.channel_id)
        elif word == "make":
            made = await self.create_channel("Made", channel_id=rest, made_by=message.sender)
            await self.send_message("hello from there", made)
        elif word == "fail":
            await self.create_channel("Made", channel_id=rest)
            raise KeyError(rest)
        elif word == "send":
            self.context().send_to(rest, "are you there?")

    async def on_channel_message_returned(self, message: ChannelMessage) -> None:
        self.returned.append(message)


async def test_a_channel_that_was_made_serves_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        made = await bot.service.create_channel("The Club", "For members", welcome="Hello")
        assert bot.service.channel_ids() == ("tavern", made)
        await bot.join("ann", channel=made)
        await bot.say("ann", "count", made)
        assert bot.service.opened == ["tavern", made], "once for each opening"
    async with running(tmp_path, Counting) as bot:
        assert bot.service.channel_info(made).channel_name == "The Club"
        await bot.say("ann", "count", made)
        assert bot.recorder.texts(channel=made)[-1] == "2"


async def test_a_new_name_is_shown_to_those_who_are_there(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        made = await bot.service.create_channel("The Club", channel_id="club")
        await bot.service.update_channel(made, "The Other Club")
        info = bot.recorder.last("channel_info", made)
        assert (info.channel_name, bot.service.channel_info(made)) == ("The Other Club", info)


async def test_a_deleted_id_that_is_given_again_has_nothing_of_the_old_channel_and_opening_brings_it_back(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        await bot.service.create_channel("Old", channel_id="club")
        await bot.join("ann", channel="club")
        await bot.say("ann", "count", "club")
        await bot.service.delete_channel("club")
        with pytest.raises(UnknownChannel):
            await bot.say("ann", "count", "club")
        await bot.service.create_channel("New", channel_id="club")
        assert not bot.service.members("club")
        assert "n" not in bot.service.channels["club"].health_bars
        await bot.service.delete_channel("club")
    async with running(tmp_path, Counting) as bot:
        assert bot.service.channel_ids() == ("tavern",)
        await bot.service.open_channel("club")
        assert bot.service.channel_info("club").channel_name == "New", "the newest comes back, when somebody says so"


async def test_an_archived_channel_is_not_there_and_is_as_it_was_when_it_is_opened(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        await bot.service.create_channel("The Club", channel_id="club")
        await bot.join("ann", channel="club")
        await bot.say("ann", "count", "club")
        await bot.service.archive_channel("club")
        with pytest.raises(UnknownChannel):
            await bot.say("ann", "count", "club")
        await bot.service.open_channel("club")
        await bot.say("ann", "count", "club")
        assert bot.recorder.texts(channel="club")[-1] == "2"


async def test_a_handler_makes_a_channel_once_and_what_it_sends_there_arrives(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        await bot.join("ann")
        await bot.say("ann", "make attic", request="one")
        await bot.say("ann", "make attic", request="one")
        await eventually(lambda: bot.recorder.texts(channel="attic") == ["hello from there"])
        assert [made.made_by for made in await bot.service.made_channels()] == ["ann"]
        await bot.say("ann", "fail cellar")
        await eventually(lambda: "cellar" in bot.service.channel_ids())


async def test_what_is_sent_to_a_deleted_channel_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        await bot.service.create_channel("The Club", channel_id="club")
        await bot.join("ann")

        async def work(ctx: Any) -> None:
            ctx.send_to("club", "are you there?")
            await bot.service.delete_channel("club")

        await bot.service.in_channel("tavern", work)
        await eventually(lambda: bool(bot.service.returned))
        await bot.service.settle()
        assert [message.to for message in bot.service.returned] == ["club"]
        assert "club" in bot.service.returned[0].reason


async def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path) -> None:
    async with running(tmp_path, Counting) as bot:
        service = bot.service
        await service.create_channel("The Club", channel_id="club")
        for work, words in (
            (service.create_channel("Again", channel_id="club"), "There is a channel club already"),
            (service.create_channel("Again", channel_id="tavern"), "config has a channel tavern"),
            (service.create_channel("Again", channel_id=""), "id"),
            (service.create_channel("Again", acess="token"), "did you mean access"),
            (service.update_channel("club", acess="token"), "did you mean access"),
            (service.update_channel("tavern", "X"), "stands in the config"),
            (service.delete_channel("clbu"), "Did you mean club"),
            (service.open_channel("club"), "open already"),
            (service.create_channel("x" * 10, channel_id="y" * 300), "id"),
            (service.create_channel("half \udcff"), "half of a character"),
        ):
            with pytest.raises(ChannelRefused, match=words):
                await work
        assert service.channel_ids() == ("tavern", "club")


@pytest.mark.parametrize("channel_id", ["agents", "channels", "gateway", "agents%service", "../x", "a/b", "x.y", "CON", "😀", "x/deliveries"])
async def test_any_id_can_be_a_channels(tmp_path: Path, channel_id: str) -> None:
    async with running(tmp_path, Counting, channels=["tavern", "agents"]) as bot:
        if channel_id != "agents":
            await bot.service.create_channel("Odd", channel_id=channel_id)
        agent = await bot.service.create_agent("Helper")
        await bot.join("ann", channel=channel_id)
        assert (await bot.say("ann", "count", channel_id)).ok
        assert bot.service.agent(agent.character_id) is not None


async def test_a_bot_that_opens_the_data_of_a_deleted_channel_is_told(tmp_path: Path) -> None:
    class Forgetful(Counting):
        async def on_channel_init(self, channel_id: str) -> None:
            self.channels[channel_id] = MoobiusStorage(self.service_id, channel_id, self.config["db_config"], variant="")

    async with running(tmp_path, Forgetful) as bot:
        await bot.service.create_channel("Old", channel_id="club")
        await bot.service.delete_channel("club")
        await bot.service.create_channel("New", channel_id="club")
        assert "club" not in bot.service.channels
        assert any("variant='made2'" in note for note in bot.service.health()["problems"])


async def test_a_channel_whose_hook_fails_holds_up_no_other_and_comes_up_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.service.run_time_channels._RETRY", 0.01)

    class Failing(Counting):
        fails = True

        async def on_channel_init(self, channel_id: str) -> None:
            if channel_id == "club" and self.fails:
                raise ZeroDivisionError(channel_id)
            await super().on_channel_init(channel_id)

    async with running(tmp_path, Failing) as bot:
        await bot.service.create_channel("The Club", channel_id="club")
        await bot.service.create_channel("The Attic", channel_id="attic")
        assert bot.service.channel_ids() == ("tavern", "attic")
        bot.service.fails = False
        await eventually(lambda: "club" in bot.service.channel_ids())
        await bot.join("ann", channel="club")


async def test_a_channel_that_was_closed_leaves_the_memory(tmp_path: Path) -> None:
    def in_memory(channel_id: str) -> set[str]:
        gc.collect()
        return {each.domain for each in gc.get_objects() if isinstance(each, Table) and f"channel_{channel_id}." in each.domain}

    async with running(tmp_path, Counting) as bot:
        await bot.service.create_channel("Club", channel_id="club")
        await bot.join("ann", channel="club")
        await bot.say("ann", "count", "club")
        assert in_memory("club")
        await bot.service.archive_channel("club")
        await asyncio.to_thread(bot.service.channels["tavern"].health_bars.database._store.checkpoint)  # type: ignore[attr-defined]
        assert in_memory("club") == set()
        await bot.service.open_channel("club")
        await bot.say("ann", "count", "club")
        assert bot.recorder.texts(channel="club")[-1] == "2"
