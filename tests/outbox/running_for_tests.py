"""A service in this process that is bound to rooms of the tests' own server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from tests.outbox.room_server import RoomServer
from tests.process_for_tests import Process
from tests.service_for_tests import Driver, json_dicts, running

PLUGINS = str(Path(__file__).parent / "plugins")
DICTS = ("health_bars", "mana_bars", "counter")


@asynccontextmanager
async def room_server(folder: Path, **settings: Any) -> AsyncIterator[RoomServer]:
    server = RoomServer(folder / "taken.jsonl", **settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def bound(
    folder: Path, server: RoomServer, *, rooms: Sequence[Any] = ("rooms/hall",), service: Mapping[str, Any] = MappingProxyType({}), **config: Any
) -> AsyncIterator[Driver]:
    """`service` goes into the config of the service, `config` into that of the gateway. Ann has joined."""
    network = {"name": "rooms", "config": {"port": server.port, **config}}
    channels = [{"id": "tavern", "rooms": list(rooms)}]
    async with running(
        folder, channels=channels, plugins=["bars", network], plugin_folders=[PLUGINS], db_config=json_dicts(folder, *DICTS), **service
    ) as driver:
        if "ann" not in driver.service.members("tavern"):
            await driver.join("ann")
        yield driver


async def results(process: Process) -> dict[str, float]:
    """What a service in a process of its own counted so far, in all channels; nothing if it does not answer."""
    found: dict[str, float] = {}
    for name, count in re.findall(r'^mooring_outbox_results\{.*result="(\w+)".*\} (\S+)$', await _metrics(process), re.MULTILINE):
        found[name] = found.get(name, 0) + float(count)
    return found


async def waiting(process: Process) -> float:
    """How much waits there in all channels."""
    return sum(map(float, re.findall(r"^mooring_outbox_entries\{.*\} (\S+)$", await _metrics(process), re.MULTILINE)))


async def _metrics(process: Process) -> str:
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(f"{process.address}metrics")).text
    except httpx.TransportError:
        return ""  # it was killed


def measured(driver: Driver, name: str) -> dict[str, float]:
    """One of the outbox's measures, by result, or else by network."""
    found = {}
    for line in driver.service.metrics_page().decode().splitlines():
        if line.startswith(f"mooring_outbox_{name}{{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            found[labels.get("result") or labels["network"]] = float(line.rpartition(" ")[2])
    return found
