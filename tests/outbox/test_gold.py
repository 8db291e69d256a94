"""Gold moves between channels while the processes that serve them are killed: the sum stays, and each move is made or taken back once."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import MoobiusStorage
from tests.outbox.running_for_tests import PLUGINS, results, waiting
from tests.process_for_tests import Process, start, write_configs
from tests.service_for_tests import json_dicts
from tests.shared.ports_for_tests import start_valkey

pytestmark = pytest.mark.slow

MOVES = int(os.environ.get("MOORING_OUTBOX_MOVES", "100"))
KILLS = int(os.environ.get("MOORING_OUTBOX_KILLS", "4"))
CHANNELS = ("mine", "market", "castle")
DICTS = ("gold", "seen")
BEGINNING = 1000


@pytest.fixture
def redis() -> Iterator[list[dict[str, Any]]]:
    server = start_valkey()
    yield [{"implementation": "redis", "name": name, "settings": {"port": int(server.port)}} for name in DICTS]
    server.terminate()


async def run_one(folder: Path, dicts: list[dict[str, Any]], name: str) -> Process:
    place = folder / name
    place.mkdir(exist_ok=True)
    mover = {"name": "gold", "config": {"moves": MOVES}}
    web: dict[str, Any] = {"name": "web", "config": {"port": 0}}
    options = write_configs(place, plugins=[mover, web], db=dicts, channels=list(CHANNELS), plugin_folders=[PLUGINS])
    return await start(place, *options)


async def finish(processes: list[Process], dicts: list[dict[str, Any]]) -> None:
    """Wait until every move was made or taken back, and look what became of the gold."""
    moves = len(CHANNELS) * MOVES
    async with asyncio.timeout(60 + moves):
        left = 0.0
        # What was taken back when the process was killed, and before that was noted, is counted nowhere.
        while left < moves - KILLS or await waiting(processes[0]):
            await asyncio.sleep(0.2)
            counts = await results(processes[0])
            left = counts.get("sent", 0) + counts.get("refused", 0)
    for process in processes:
        code, log = await process.end()
        assert code == 0, log
        assert "Traceback" not in log
    total = 0
    seen: Counter[str] = Counter()
    for channel in CHANNELS:
        with MoobiusStorage("1", channel, dicts) as storage:
            total += storage.gold["total"]
            seen.update(storage.seen.copy())
    assert total == BEGINNING * len(CHANNELS)
    assert len(seen) == moves
    assert set(seen.values()) == {1}


async def test_the_sum_stays_while_the_process_is_killed(tmp_path: Path) -> None:
    chance = random.Random(3)
    dicts = json_dicts(tmp_path / "data", *DICTS)
    for _ in range(KILLS):
        process = await run_one(tmp_path, dicts, "one")
        await asyncio.sleep(chance.random() * 0.6)
        process.kill()
        await process.wait()
    await finish([await run_one(tmp_path, dicts, "one")], dicts)


@pytest.mark.redis
async def test_the_sum_stays_while_two_processes_are_killed_in_turn(tmp_path: Path, redis: list[dict[str, Any]]) -> None:
    chance = random.Random(4)
    processes = {name: await run_one(tmp_path, redis, name) for name in ("one", "two")}
    for _ in range(KILLS):
        await asyncio.sleep(chance.random())
        name = chance.choice(["one", "two"])
        processes[name].kill()
        await processes[name].wait()
        processes[name] = await run_one(tmp_path, redis, name)
    await finish(list(processes.values()), redis)
