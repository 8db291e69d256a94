"""The service is killed with SIGKILL, at random moments and at marked places, while it sends to a network that has troubles of its own.

Every start of the service goes on where the one before was killed, until the channel has said all its numbers and nothing waits any more.
`make outbox` does it at full size.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mooring.channels.system_dicts import DELIVERIES
from storage import MoobiusStorage
from tests.outbox.running_for_tests import DICTS, PLUGINS, results
from tests.process_for_tests import ROOT, Process, launch, start, write_configs
from tests.service_for_tests import json_dicts

pytestmark = pytest.mark.slow

MESSAGES = int(os.environ.get("MOORING_OUTBOX_MESSAGES", "40"))
KILLS = int(os.environ.get("MOORING_OUTBOX_KILLS", "4"))
SEED = int(os.environ.get("MOORING_OUTBOX_SEED", "1"))
PLACES = ("before", "after", "noted")
ABILITIES: dict[str, dict[str, Any]] = {"by key": {"key_seconds": 86_400}, "by looking back": {"find": True}, "neither": {}}


@dataclass
class Battle:
    """One service, one server of rooms, and what is done to them."""

    folder: Path
    abilities: dict[str, Any]
    chance: random.Random
    killed: list[str] = field(default_factory=list)
    port: int = 0

    async def start_server(self) -> Process:
        remembers = "yes" if "key_seconds" in self.abilities else "no"
        command = [sys.executable, "-m", "tests.outbox.room_server", str(self.folder / "taken.jsonl"), str(self.port), remembers, "0.05"]
        server = await launch(self.folder, command, PYTHONPATH=str(ROOT))
        self.port = int(server.line)
        return server

    async def start_service(self, die: str = "") -> Process:
        network = {"name": "rooms", "config": {"port": self.port, "count_to": MESSAGES, "die": die, **self.abilities}}
        web: dict[str, Any] = {"name": "web", "config": {"port": 0}}
        service = {"channels": [{"id": "tavern", "rooms": ["rooms/hall"]}], "plugin_folders": [PLUGINS]}
        options = write_configs(self.folder, plugins=["bars", network, web], db=json_dicts(self.folder / "data", *DICTS), **service)
        return await start(self.folder, *options)

    async def kill_service(self, place: str) -> None:
        """Start the service and kill it at that place, if it comes there."""
        service = await self.start_service("" if place == "random" else f"{place} {self.chance.randint(1, max(2, MESSAGES // KILLS))}")
        if place == "random":
            await asyncio.sleep(self.chance.random() * 0.5)
            service.kill()
        ended = asyncio.create_task(service.wait())
        while not ended.done():
            if await is_settled(service):  # all was sent before it came there so often
                service.process.terminate()
            await asyncio.wait([ended], timeout=0.1)
        if ended.result() == -signal.SIGKILL:
            self.killed.append(place)

    async def fight(self) -> None:
        """All kills, of the server too, and then a start after which nothing is left to send."""
        server = await self.start_server()
        places = itertools.cycle((*PLACES, "random"))
        for number in range(KILLS):
            if number % 3 == 2:
                server.kill()
                await server.wait()
                server = await self.start_server()
            await self.kill_service(next(places))
        service = await self.start_service()
        async with asyncio.timeout(60 + MESSAGES):
            while not await is_settled(service):
                await asyncio.sleep(0.1)
        code, log = await service.end()
        assert code == 0, log
        server.kill()
        await server.wait()

    def taken(self) -> list[str]:
        """What the server has, in order."""
        file = self.folder / "taken.jsonl"
        return [json.loads(line)["text"] for line in file.read_text().splitlines()] if file.exists() else []

    def counts(self) -> dict[str, int]:
        """What the service counted."""
        storage = MoobiusStorage("1", "tavern", json_dicts(self.folder / "data", *DICTS))
        with storage, storage.beside(DELIVERIES) as beside:
            found: dict[str, int] = beside.system("marks")["rooms/hall"]["counts"]
            return found


async def is_settled(service: Process) -> bool:
    """Whether the service says that everything has left, in one way or another."""
    counts = await results(service)
    return sum(counts.get(name, 0) for name in ("sent", "unsure", "refused")) == MESSAGES


@pytest.mark.parametrize("abilities", ABILITIES)
async def test_kills_lose_and_double_nothing_that_the_network_can_tell(tmp_path: Path, abilities: str) -> None:
    battle = Battle(tmp_path, ABILITIES[abilities], random.Random(f"{SEED} {abilities}"))
    await battle.fight()
    taken, counts, everything = battle.taken(), battle.counts(), [f"m{number + 1}" for number in range(MESSAGES)]
    assert len(battle.killed) >= KILLS // 2
    if abilities == "neither":
        unsure = counts.get("unsure", 0)
        assert taken == [text for text in everything if text in set(taken)], "each at most once, and in order"
        assert counts["sent"] + unsure == MESSAGES
        assert counts["sent"] <= len(taken) <= MESSAGES
        assert unsure >= 1
    else:
        assert taken == everything
        assert counts["sent"] == MESSAGES
        assert counts.get("unsure", 0) == 0
