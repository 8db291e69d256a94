"""What a handler sends to another channel arrives there once, or comes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring import ChannelMessage, ChannelService, MessageBody
from tests.service_for_tests import Driver, json_dicts, running
from tests.waiting_for_tests import eventually

BANK = '''
from mooring import ChannelMessage, CommandError, Context, Rest, command


@command
def pay(ctx: Context, channel: str, amount: int) -> str:
    """Pay another channel."""
    gold = ctx.storage.gold
    if gold.get("total", 100) < amount:
        raise CommandError("there is not that much")
    gold["total"] = gold.get("total", 100) - amount
    ctx.storage.sent["id"] = ctx.send_to(channel, {"gold": amount})
    return f"{amount} paid"


@command
def tell(ctx: Context, channel: str, text: Rest) -> None:
    """Say something in another channel."""
    ctx.send_to(channel, text)


@command
def nonsense(ctx: Context) -> None:
    """Send what cannot be kept."""
    ctx.send_to("market", {"gold": float("nan")})


def on_channel_message(ctx: Context, message: ChannelMessage) -> None:
    if not isinstance(message.body, dict):
        ctx.storage.heard[message.id] = [message.channel_id, message.member_id, message.body.content.text]
        return
    amount = message.body["gold"]
    if amount == 13:
        raise CommandError("no such number")
    if amount == 17:
        ctx.storage.gold["total"] = 0
        raise RuntimeError("a fault")
    ctx.storage.gold["total"] = ctx.storage.gold.get("total", 100) + amount
    ctx.reply(f"{amount} came from {message.channel_id}")


def on_channel_message_returned(ctx: Context, message: ChannelMessage) -> None:
    if ctx.storage.gold.get("broken"):
        raise RuntimeError("cannot take it back")
    ctx.storage.gold["total"] = ctx.storage.gold.get("total", 100) + message.body["gold"]
    ctx.storage.sent["returned"] = [message.id, message.to, message.reason]
    ctx.reply(f"{message.body['gold']} came back: {message.reason}")
'''


@asynccontextmanager
async def bank(
    folder: Path, *, channels: tuple[str, ...] = ("tavern", "market"), cls: type[ChannelService] = ChannelService, **more: Any
) -> AsyncIterator[Driver]:
    (folder / "bank.py").write_text(BANK)
    dicts = json_dicts(folder / "data", "gold", "heard", "sent")
    async with running(folder, cls, channels=channels, plugins=["bank"], plugin_folders=[str(folder)], db_config=dicts, **more) as driver:
        for channel in channels:
            if "ann" not in driver.service.members(channel):
                await driver.join("ann", channel=channel)
        yield driver


def gold(driver: Driver, channel: str) -> int:
    total: int = driver.service.channels[channel].gold.get("total", 100)
    return total


async def test_an_object_is_for_the_hook_of_the_plugin_that_sent_it(tmp_path: Path) -> None:
    async with bank(tmp_path) as driver:
        await driver.say("ann", "/pay market 30")
        await driver.service.settle()
        assert (gold(driver, "tavern"), gold(driver, "market")) == (70, 130)
        assert driver.recorder.texts(channel="market")[-1] == "30 came from tavern"
        down = driver.recorder.downs[-1]
        assert down.cause is not None
        assert (down.cause.request_id, down.cause.member_id) == (driver.service.channels["tavern"].sent["id"], "ann")


async def test_a_text_is_shown_there_and_is_no_command(tmp_path: Path) -> None:
    async with bank(tmp_path) as driver:
        await driver.say("ann", "/tell market /pay tavern 50")
        await driver.service.settle()
        assert driver.recorder.texts(channel="market")[-1] == "/pay tavern 50"
        assert list(driver.service.channels["market"].heard.values()) == [["tavern", "ann", "/pay tavern 50"]]
        assert gold(driver, "market") == 100


async def test_what_is_refused_there_comes_back(tmp_path: Path) -> None:
    async with bank(tmp_path) as driver:
        await driver.say("ann", "/pay market 13")
        await driver.service.settle()
        assert (gold(driver, "tavern"), gold(driver, "market")) == (100, 100)
        sent = driver.service.channels["tavern"].sent
        assert sent["returned"] == [sent["id"], "market", "no such number"]
        assert driver.recorder.texts()[-1] == "13 came back: no such number"


async def test_what_a_handler_fails_at_is_tried_again_and_comes_back_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mooring.gateways.channel_carrier._PAUSES", (0.01, 0.01))
    async with bank(tmp_path) as driver:
        await driver.say("ann", "/pay market 17")
        await driver.say("ann", "/pay market 5")
        await driver.service.settle()
        assert (gold(driver, "tavern"), gold(driver, "market")) == (95, 105)
        reason = driver.service.channels["tavern"].sent["returned"][2]
        assert reason.startswith("Something went wrong there (reference ")
        faults = [record for record in caplog.records if record.levelno == logging.ERROR and "failed with a message" in record.getMessage()]
        assert len(faults) == 3
        assert "a fault" not in reason


async def test_what_cannot_be_taken_back_waits_and_is_not_lost(tmp_path: Path) -> None:
    async with bank(tmp_path) as driver:
        driver.service.channels["tavern"].gold["broken"] = True
        await driver.say("ann", "/pay market 13")
        await driver.say("ann", "/pay market 1")
        await driver.service.settle()
        assert (gold(driver, "tavern"), gold(driver, "market")) == (86, 101), "what comes after it is not held up"
        problems = (await asyncio.to_thread(driver.service.health))["problems"]
        assert problems == ["channel tavern: what another channel did not take is not taken back (1)"]
        await driver.service.in_channel("tavern", _mend)
    async with bank(tmp_path) as driver:
        await eventually(lambda: gold(driver, "tavern") == 99)
        assert gold(driver, "market") == 101


async def test_a_channel_that_is_gone_sends_back_what_was_on_its_way(tmp_path: Path) -> None:
    class Deaf(ChannelService):
        async def on_channel_message(self, message: ChannelMessage) -> None:
            await asyncio.sleep(60)

    async with bank(tmp_path, cls=Deaf, stop_timeout=0.2) as driver:
        await driver.say("ann", "/pay market 30")
    async with bank(tmp_path, channels=("tavern",)) as driver:
        await driver.service.settle()
        assert gold(driver, "tavern") == 100
        assert driver.service.channels["tavern"].sent["returned"][1:] == ["market", "There is no channel 'market' here."]
        answer = await driver.say("ann", "/pay market 30")
        assert answer.message == "There is no channel 'market' here."


async def test_a_full_outbox_refuses_the_event_and_drops_nothing(tmp_path: Path) -> None:
    class Deaf(ChannelService):
        async def on_channel_message(self, message: ChannelMessage) -> None:
            await asyncio.sleep(60)

    limits: dict[str, Any] = {"limits": {"outbox_length": 3}, "stop_timeout": 0.2}
    async with bank(tmp_path, cls=Deaf, **limits) as driver:
        answers = [await driver.say("ann", "/pay market 1") for _ in range(5)]
        assert [answer.ok for answer in answers] == [True, True, True, False, False]
        assert answers[-1].message == "Too much is on its way from here to other channels. Try again later."
        assert gold(driver, "tavern") == 97
        assert (await driver.say("ann", "/tell tavern hello")).ok, "the bound is for each channel"
    async with bank(tmp_path) as driver:
        await driver.service.settle()
        assert (gold(driver, "tavern"), gold(driver, "market")) == (97, 103)


async def test_what_cannot_be_kept_is_refused_in_the_handler(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bank(tmp_path) as driver:
        answer = await driver.say("ann", "/nonsense")
        assert not answer.ok
        assert "nan" in caplog.text


async def test_a_service_hears_first_and_can_say_something_in_other_channels(tmp_path: Path) -> None:
    class Herald(ChannelService):
        async def on_message_up(self, message: MessageBody) -> None:
            await self.send_message(f"{message.sender} said {message.content.text}", "market")
            if message.content.text == "fail":
                raise RuntimeError

        async def on_channel_message(self, message: ChannelMessage) -> None:
            heard.append(message.body)

    heard: list[Any] = []
    async with bank(tmp_path, cls=Herald) as driver:
        await driver.say("ann", "fail")
        await driver.say("ann", "hello")
        await driver.service.settle()
        assert driver.recorder.texts(channel="market") == ["ann joined", "ann said hello"]
        assert heard == []


async def test_what_a_service_says_elsewhere_survives_a_crash(tmp_path: Path) -> None:
    class Herald(ChannelService):
        async def on_message_up(self, message: MessageBody) -> None:
            await self.send_message("one", "market", recipients=["ann"])
            await self.send_buttons([], "market")
            await self.send_message("two", "market")

    async with bank(tmp_path, cls=Herald) as driver:
        driver.service._deliveries._channels.clear()  # nothing is delivered before the stop
        await driver.say("ann", "go")
        assert driver.recorder.texts("ann", channel="market") == ["ann joined"]
    async with bank(tmp_path) as driver:
        await driver.service.settle()
        assert driver.recorder.texts("ann", channel="market") == ["one", "two"]


async def test_other_channels_can_be_read_in_a_turn(tmp_path: Path) -> None:
    async with bank(tmp_path) as driver:
        driver.service.channels["market"].gold["total"] = 7
        seen = await driver.service.in_channel("tavern", _look)
        assert seen == 7


async def _mend(ctx: Any) -> None:
    del ctx.storage.gold["broken"]


async def _look(ctx: Any) -> int:
    found: int = ctx.service.channels["market"].gold["total"]
    return found
