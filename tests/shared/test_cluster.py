"""A real cluster: channels on all of its nodes, and a primary that dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.crc import key_slot

from mooring import ChannelService
from mooring.events import MessageBody
from storage.redis.keys import redis_key
from tests.process_for_tests import Process, member, start, write_configs
from tests.service_for_tests import Driver, running
from tests.shared.cluster_for_tests import Cluster
from tests.waiting_for_tests import eventually

pytestmark = [pytest.mark.redis, pytest.mark.slow]
CHANNELS = ["tavern", "library", "cellar", "attic", "yard", "gate"]


class Bot(ChannelService):
    async def on_message_up(self, message: MessageBody) -> None:
        mana = self.channels[message.channel_id].mana
        mana["total"] = mana.get("total", 0) + 1
        await self.send_message(str(mana["total"]), message.channel_id)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), "--appendonly", "yes") as started:
        yield started


def texts(bot: Driver[Bot], channel: str) -> list[str]:
    return [text for text in bot.recorder.texts(channel=channel) if text.isdecimal()]


def _all_have(bots: Sequence[Driver[Bot]], channel: str, count: int) -> bool:
    return all(len(texts(bot, channel)) == count for bot in bots)


async def test_channels_are_spread_over_the_nodes_and_survive_the_death_of_a_primary(tmp_path: Path, cluster: Cluster) -> None:
    slots = {channel: key_slot(redis_key(f"service_1.channel_{channel}.mana")[0]) for channel in CHANNELS}
    assert len({slot * 3 // 16384 for slot in slots.values()}) == 3, "the channels of this test lie on all three primaries"
    async with AsyncExitStack() as stack:
        bots = []
        for number in range(2):
            settings: dict[str, Any] = {"url": cluster.url, "timeout": 5.0 + number}
            db = [{"implementation": "redis", "name": "mana", "settings": settings}]
            bots.append(await stack.enter_async_context(running(tmp_path, Bot, channels=CHANNELS, db_config=db)))
        for channel in CHANNELS:
            await bots[0].join("ann", channel=channel)
            await bots[1].join("bob", channel=channel)
        members = list(zip(bots, ("ann", "bob"), strict=True))
        said = [bot.say(member, "count", channel=channel) for channel in CHANNELS for _ in range(10) for bot, member in members]
        answers = await asyncio.gather(*said)
        assert all(answer.ok for answer in answers)
        for channel in CHANNELS:
            await eventually(partial(_all_have, bots, channel, 20))
            assert texts(bots[0], channel) == texts(bots[1], channel) == [str(number) for number in range(1, 21)]
        cluster.kill_primary_of(slots["tavern"])
        assert (await bots[0].say("ann", "count", channel=_remote_online(slots))).ok, "other channels do not notice"
        for attempt in range(200):
            if (await bots[0].say("ann", "count", request=f"again {attempt}")).ok:
                break
            await asyncio.sleep(0.1)
        await eventually(lambda: texts(bots[1], "tavern")[-1:] == ["21"])


async def test_a_service_outlives_a_cluster_that_is_away(tmp_path: Path, cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.start)
    await asyncio.to_thread(cluster.wait)
    settings = {"url": cluster.url, "connect_timeout": 1.0}
    db = [{"implementation": "redis", "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]
    options = write_configs(tmp_path, db=db, service_id="away")
    service = await start(tmp_path, *options)
    async with member(service.address, name="ann") as ann:
        assert (await ann.say("/hit @ann 1"))["body"]["ok"]
        cluster.kill()
        assert not (await ann.say("/hit @ann 1"))["body"]["ok"]
        assert "127.0.0.1" in str((await ready(service))["problems"])
        other = await start(tmp_path, *options)
        assert other.line == ""
        _, log = await other.end(0)
        assert log.splitlines()[-1].startswith("Mooring did not start: Redis at 127.0.0.1"), log
        assert "Traceback" not in log
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(cluster.wait)
        async with asyncio.timeout(20):
            while not (await ann.say("/hit @ann 1"))["body"]["ok"]:
                await asyncio.sleep(0.1)
            while not (await ready(service))["ready"]:
                await asyncio.sleep(0.1)
    async with asyncio.timeout(10):
        code, log = await service.end()
    assert (code, "Traceback" in log) == (0, False), log


async def ready(service: Process) -> dict[str, Any]:
    """What /readyz says."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{service.address}readyz", timeout=20)
    found: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) is found["ready"]
    return found


def _remote_online(slots: dict[str, int]) -> str:
    return next(channel for channel, slot in slots.items() if slot * 3 // 16384 != slots["tavern"] * 3 // 16384)
