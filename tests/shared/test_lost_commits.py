"""Real processes on Redis behind a sentinel, while primaries die with commits that their replica has not got."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from mooring.channels.system_dicts import HISTORY
from storage import MoobiusStorage
from tests.shared.fleet import CHANNELS, MEMBERS, PROCESSES, TROUBLES, Fleet, configs, play
from tests.shared.roaming_member import RoamingMember
from tests.shared.serialisability import Sent, faults
from tests.shared.servers_for_tests import Server
from tests.waiting_for_tests import eventually

pytestmark = [pytest.mark.redis, pytest.mark.slow]
FAILOVERS = max(1, TROUBLES // 6)
CUT_SECONDS = 0.7
_REPLICA = "user replica on >pw ~* &* +@all"


@dataclass
class Window:
    """Between which moments, on the clock of the members, commits may have been acknowledged that are lost."""

    began: float
    ended: float


class Sentinels:
    """A primary, its replica, and a sentinel that takes the one for the other when it is gone."""

    def __init__(self, folder: Path) -> None:
        self._ends = ExitStack()
        self.primary, self.replica = (self._server(folder) for _ in range(2))
        with self.replica.raw() as raw:
            raw.replicaof("127.0.0.1", self.primary.port)
        sentinel = self._sentinel = Server(folder, sentinel=True)
        own = ("down-after-milliseconds tavern 700", "failover-timeout tavern 2000")
        lines = [f"sentinel monitor tavern 127.0.0.1 {self.primary.port} 1", *(f"sentinel {line}" for line in own)]
        sentinel.config.write_text("\n".join(lines))
        self._ends.enter_context(sentinel)
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/tavern"

    def close(self) -> None:
        self._ends.close()

    async def is_whole(self) -> None:
        """Until the replica has what the primary has, and goes on from there."""
        with self.replica.raw() as raw:
            await eventually(lambda: raw.info("replication").get("master_link_status") == "up", 30)

    async def fail_over(self) -> Window:
        """Let the primary die after a while in which its replica got nothing from it, and wait until that has its place."""
        await self.is_whole()
        with self.primary.raw() as raw:
            began = time.monotonic()
            raw.set("here", "all that came before this is on the replica")
            assert raw.wait(1, 10_000) == 1
            # Cut off by its login: one that is told to follow somebody else, or stopped, is no candidate for the sentinel.
            raw.acl_setuser("replica", enabled=False)
            raw.execute_command("CLIENT KILL USER replica")
        await asyncio.sleep(CUT_SECONDS)
        self.primary.kill()
        ended = time.monotonic()
        with self._sentinel.raw() as raw:
            # Not before: a primary that comes back empty while it still has its name would be taken at its word, by the sentinel, too.
            await eventually(lambda: raw.sentinel_get_master_addr_by_name("tavern")[1] == self.replica.port, 30)
        self.primary, self.replica = self.replica, self.primary
        await asyncio.to_thread(self.replica.start)
        await asyncio.to_thread(self.replica.wait)
        return Window(began, ended)

    def _server(self, folder: Path) -> Server:
        server = Server(folder, "--repl-diskless-sync-delay", "0")
        server.config.write_text(f"{_REPLICA}\nmasteruser replica\nmasterauth pw\n")
        return self._ends.enter_context(server)


async def fail_over_again_and_again(sentinels: Sentinels) -> list[Window]:
    windows = []
    for _ in range(FAILOVERS):
        await asyncio.sleep(1)
        windows.append(await sentinels.fail_over())
    await asyncio.sleep(1)
    return windows


def replies_in(url: str, channel: str) -> dict[int, tuple[str, str]]:
    """What the channel's history has at the end: which command was answered and how, by number."""
    found: dict[int, tuple[str, str]] = {}
    settings = {"url": url}
    with closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": "mana_bars", "settings": settings}])) as storage:
        for number, record in HISTORY.of(storage).copy().items():
            command = (record["body"].get("context") or {}).get("command", "") if number.isdecimal() else ""
            if command and record["to"] is None:
                found[int(number)] = (command.rpartition(" ")[2], record["body"]["content"]["text"])
    return found


def lost(sent: list[Sent], replies: dict[int, tuple[str, str]]) -> list[Sent]:
    """What was acknowledged as done and is not in the history."""
    kept = {operation for operation, _ in replies.values()}
    return [one for one in sent if one.ok and one.operation not in kept]


async def test_what_a_failover_loses_is_named_and_nothing_is_built_on_it(tmp_path: Path) -> None:
    channels = [f"channel{number}" for number in range(CHANNELS)]
    with closing(Sentinels(tmp_path)) as sentinels:
        await sentinels.is_whole()
        fleet = Fleet(tmp_path, configs(tmp_path, {"url": sentinels.url, "timeout": 3.0}, channels))
        await fleet.start(PROCESSES)
        members = [RoamingMember(f"member{number}", channels[number % CHANNELS], fleet.addresses) for number in range(MEMBERS)]
        trouble = asyncio.ensure_future(fail_over_again_and_again(sentinels))
        await asyncio.gather(*(play(member, number, trouble) for number, member in enumerate(members)))
        windows = await trouble
        for member in members:
            await member.leave()
        logs = await fleet.end()
        replies = {channel: replies_in(sentinels.url, channel) for channel in channels}
    named = set(re.findall(r"lost: event (\S+) of", "\n".join(logs)))
    gone: list[Sent] = []
    for channel in channels:
        sent = [one for member in members if member.channel == channel for one in member.sent]
        missing = lost(sent, replies[channel])
        gone += missing
        assert faults([one for one in sent if one not in missing], replies[channel]) == []
    commands = sum(len(member.sent) for member in members)
    print(f"{commands} commands, {len(windows)} failovers, {len(gone)} acknowledged commands lost, {len(named)} named")
    assert gone, "a failover that loses nothing shows nothing"
    assert [one for one in gone if not any(is_in(one, window) for window in windows)] == []
    assert {one.operation for one in gone} <= named
    # Sent again to a process that had not answered, a lost command may have happened after all; one that was acknowledged before may not be named.
    begins = min(window.began for window in windows)
    early = {one.operation for member in members for one in member.sent if one.acknowledged is not None and one.acknowledged < begins}
    assert named & early == set()
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line], logs


def is_in(one: Sent, window: Window) -> bool:
    return one.acknowledged is not None and window.began <= one.acknowledged and one.sent <= window.ended
