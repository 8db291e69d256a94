"""Several processes of one service, members who roam between them, and whether what these saw could come from one process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.process_for_tests import Process, start, write_configs
from tests.shared.roaming_member import RoamingMember
from tests.shared.serialisability import faults, faults_together

COMMANDS = int(os.environ.get("MOORING_SHARED_COMMANDS", "600"))
MEMBERS = int(os.environ.get("MOORING_SHARED_MEMBERS", "12"))
CHANNELS = int(os.environ.get("MOORING_SHARED_CHANNELS", "3"))
PROCESSES = int(os.environ.get("MOORING_SHARED_PROCESSES", "3"))
TROUBLES = int(os.environ.get("MOORING_SHARED_TROUBLES", "6"))
PLUGINS = Path(__file__).parent / "plugins"


def configs(folder: Path, settings: dict[str, Any], channels: Sequence[str], *more: str, engine: str = "redis") -> list[str]:
    """The options for a service with these channels and `more` plugins, whose dicts are on the Redis of these settings, or another engine."""
    db = [{"implementation": engine, "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]
    web = {"name": "web", "config": {"limits": {"connections_per_address": 2000, "frames_per_second": 10_000, "burst": 10_000}}}
    plugins: list[Any] = ["help", "playground", *more, web]
    limits = {"history_length": 50 * COMMANDS}
    return write_configs(folder, plugins=plugins, db=db, channels=channels, plugin_folders=[str(PLUGINS)], limits=limits)


class Fleet:
    """The processes; one that was killed is started again."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self._folder = folder
        self._options = options
        self._processes: list[Process] = []
        self._logs: list[asyncio.Task[bytes]] = []
        """What each has logged; read all the time, as a process waits for whoever reads its log."""
        self.killed = 0

    async def start(self, count: int) -> None:
        self._processes += await asyncio.gather(*(self._one() for _ in range(count)))

    def addresses(self) -> list[str]:
        return [process.address for process in self._processes]

    async def kill_one(self) -> None:
        victim = self._processes.pop(random.randrange(len(self._processes)))
        victim.kill()
        await victim.process.wait()
        self.killed += 1
        await self.start(1)

    async def end(self) -> list[str]:
        """Stop all; what they logged, those that were killed included."""
        for process in self._processes:
            process.process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(process.process.wait() for process in self._processes))
        return [log.decode() for log in await asyncio.gather(*self._logs)]

    async def _one(self) -> Process:
        for _ in range(20):
            process = await start(self._folder, *self._options)
            if process.line:
                assert process.process.stderr is not None
                self._logs.append(asyncio.create_task(process.process.stderr.read()))
                return process
            await process.wait()  # Redis was away at that moment
        raise AssertionError("a process did not start")


async def play(member: RoamingMember, seed: int, trouble: asyncio.Future[Any], *, is_shared: bool = False) -> None:
    """A member's share of the commands, and more for as long as there is trouble."""
    await member.play(lines_for(COMMANDS // MEMBERS, seed, is_shared=is_shared))
    while not trouble.done():
        seed += 1000
        await member.play(lines_for(10, seed, is_shared=is_shared))
        await asyncio.sleep(0.1)


def lines_for(count: int, seed: int, *, is_shared: bool = False) -> list[str]:
    """`is_shared` is for services with the plugin `sharing`."""
    chance = random.Random(seed)
    names = "abcd"
    made = []
    for _ in range(count):
        one, other = chance.choice(names), chance.choice(names)
        made.append(
            chance.choice([
                f"/add {chance.randrange(9)}",
                f"/put {one} {chance.randrange(99)}",
                f"/move {one} {other} {chance.randrange(20)}",
                *([f"/share {chance.randrange(1, 9)}"] if is_shared else []),
            ])
        )
    return made


def check_together(members: Sequence[RoamingMember]) -> None:
    """What the members of all channels saw of what these share."""
    lines = {one.operation: one.line for member in members for one in member.sent}
    replies = {found for member in members for found in member.seen.values() if found[0] in lines}
    shared = [(lines[operation], text) for operation, text in replies]
    assert any(line.startswith("/share") for line, _ in shared)
    found = faults_together(shared)
    assert not found, "\n".join(found)


def is_public(found: tuple[str, str]) -> bool:
    """Answers tell which command they answer; refusals are for one member, and notices answer nothing."""
    return bool(found[0])


def check(members: list[RoamingMember]) -> None:
    complaints = [complaint for member in members for complaint in member.complaints]
    assert not complaints, "\n".join(complaints)
    together: dict[int, tuple[str, str]] = {}
    for member in members:
        for number, found in member.seen.items():
            assert together.setdefault(number, found) == found, f"message {number} differs from member to member"
    # Messages to all: whoever came after some has the rest.
    public = {number: found for number, found in together.items() if is_public(found)}
    for member in members:
        first = min(member.seen)
        missing = [number for number in public if number >= first and number not in member.seen]
        assert not missing, f"{member.name} did not see {missing}"
    faulty = faults([one for member in members for one in member.sent], public)
    assert not faulty, "\n".join(faulty)
