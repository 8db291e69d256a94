"""Two processes on one Redis with gateways to the same room: it hears each message once, in order, whichever of them is killed or stands still."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mooring.gateways.lease import LEASE_SECONDS
from tests.outbox.room_server import RoomServer
from tests.outbox.running_for_tests import DICTS, PLUGINS, measured, room_server
from tests.process_for_tests import Process, start, write_configs
from tests.service_for_tests import Driver, running
from tests.shared.ports_for_tests import start_valkey
from tests.waiting_for_tests import eventually

pytestmark = [pytest.mark.redis, pytest.mark.slow]

MESSAGES = int(os.environ.get("MOORING_OUTBOX_SHARED_MESSAGES", "100"))
BOUND = [{"id": "tavern", "rooms": ["rooms/hall"]}]
KILLS = int(os.environ.get("MOORING_OUTBOX_SHARED_KILLS", "1"))


@pytest.fixture
def redis() -> Iterator[list[dict[str, Any]]]:
    server = start_valkey()
    yield [{"implementation": "redis", "name": name, "settings": {"port": int(server.port)}} for name in DICTS]
    server.terminate()


async def start_one(folder: Path, server: RoomServer, redis: list[dict[str, Any]], name: str, **config: Any) -> Process:
    """One of the processes, in a folder of its own."""
    place = folder / name
    place.mkdir(exist_ok=True)
    network = {"name": "rooms", "config": {"port": server.port, **config}}
    service = {"channels": BOUND, "plugin_folders": [PLUGINS]}
    options = write_configs(place, plugins=["bars", network, {"name": "web", "config": {"port": 0}}], db=redis, **service)
    return await start(place, *options)


@asynccontextmanager
async def one_here(folder: Path, server: RoomServer, redis: list[dict[str, Any]], **config: Any) -> AsyncIterator[Driver]:
    """One of them, in this process."""
    network = {"name": "rooms", "config": {"port": server.port, **config}}
    async with running(folder, channels=BOUND, plugins=["bars", network], plugin_folders=[PLUGINS], db_config=redis) as driver:
        yield driver


@asynccontextmanager
async def one_without_gateway(folder: Path, redis: list[dict[str, Any]]) -> AsyncIterator[Driver]:
    """Another one in this process, which cannot send to the room. Services of one process share nothing if their settings differ."""
    others = [{**entry, "settings": {**entry["settings"], "timeout": 6.0}} for entry in redis]
    async with running(folder, channels=BOUND, plugins=["bars"], db_config=others) as driver:
        await driver.join("ann")
        yield driver


async def test_each_message_arrives_once_while_either_is_killed(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    chance = random.Random(7)
    async with room_server(tmp_path) as server:
        config = {"count_to": MESSAGES, "key_seconds": 3600}
        processes = {name: await start_one(tmp_path, server, redis, name, **config) for name in ("one", "two")}
        for _ in range(KILLS):
            await asyncio.sleep(chance.random())
            name = chance.choice(["one", "two"])
            processes[name].kill()
            await processes[name].wait()
            processes[name] = await start_one(tmp_path, server, redis, name, **config)
        await eventually(lambda: len(server.texts()) >= MESSAGES, 60 + MESSAGES)
        await asyncio.sleep(0.5)
        for process in processes.values():
            code, log = await process.end()
            assert code == 0, log
            assert "Traceback" not in log
    assert server.texts() == [f"m{number + 1}" for number in range(MESSAGES)]


async def test_where_nothing_can_be_told_two_processes_send_nothing_twice(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    async with room_server(tmp_path, remembers=False) as server:
        processes = [await start_one(tmp_path, server, redis, name, count_to=MESSAGES) for name in ("one", "two")]
        await eventually(lambda: len(server.texts()) >= MESSAGES, 60 + MESSAGES)
        await asyncio.sleep(0.5)
        logs = [log for _, log in await asyncio.gather(*(process.end() for process in processes))]
    assert server.texts() == [f"m{number + 1}" for number in range(MESSAGES)], logs


async def test_who_stands_still_and_wakes_sends_nothing(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    """The one that is stopped has messages in hand, which the other one then sends."""
    async with room_server(tmp_path, remembers=False) as server:
        server.slow = 0.05
        first = await start_one(tmp_path, server, redis, "one", count_to=MESSAGES)
        await eventually(lambda: len(server.texts()) >= 5, 30)
        first.process.send_signal(signal.SIGSTOP)
        before = len(server.texts())
        async with one_here(tmp_path, server, redis) as second:
            await eventually(lambda: len(server.texts()) > before + 1, 3 * LEASE_SECONDS)
            first.process.send_signal(signal.SIGCONT)
            await eventually(lambda: len(server.texts()) >= MESSAGES - 1 and measured(second, "entries") == {}, 60 + MESSAGES)
            await first.end()
            results = measured(second, "results")
    assert server.doubled() == []
    assert server.texts() == sorted(server.texts(), key=lambda text: int(text[1:]))
    assert results["sent"] + results.get("unsure", 0) == MESSAGES
    assert len(server.texts()) >= MESSAGES - 1, "only what was in hand may be missing"


async def test_deliveries_make_no_turn_run_again(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    async with room_server(tmp_path) as server, one_here(tmp_path, server, redis) as one, one_without_gateway(tmp_path, redis) as two:
        for number in range(50):
            await two.say("ann", str(number))
        await eventually(lambda: len(server.texts()) == 51, 30)
        for driver in (one, two):
            assert "mooring_conflicts_total 0.0" in driver.service.metrics_page().decode()


async def test_what_one_process_cannot_reach_another_sends(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    async with room_server(tmp_path) as server, one_without_gateway(tmp_path, redis) as alone:
        await alone.say("ann", "hello")
        async with one_here(tmp_path, server, redis):
            await eventually(lambda: server.texts() == ["ann joined", "hello"])
            await alone.say("ann", "again")
            await eventually(lambda: server.texts() == ["ann joined", "hello", "again"])
            await eventually(lambda: measured(alone, "entries") == {})
