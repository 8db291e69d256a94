"""Real processes on a cluster that loses nodes and regains them, with all that these had acknowledged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.crc import key_slot

from storage.redis.keys import redis_key
from tests.shared.cluster_for_tests import PRIMARIES, SLOTS, Cluster
from tests.shared.fleet import MEMBERS, PROCESSES, TROUBLES, Fleet, check, configs, is_public, play
from tests.shared.roaming_member import RoamingMember

pytestmark = [pytest.mark.redis, pytest.mark.slow]
CHANNELS = ["tavern", "library", "cellar", "attic"]


async def lose_nodes(cluster: Cluster, fleet: Fleet, times: int) -> list[str]:
    """One trouble after the other."""

    async def one_away() -> None:
        node = cluster.nodes[number % len(cluster.nodes)]
        node.kill()
        await asyncio.sleep(1)
        await back()

    async def all_away() -> None:
        cluster.kill()
        await asyncio.sleep(0.5)
        await back()

    async def one_still() -> None:
        node = cluster.nodes[number % len(cluster.nodes)]
        node.pause()
        await asyncio.sleep(1.2)
        node.resume()

    async def back() -> None:
        await asyncio.to_thread(cluster.start)
        await asyncio.to_thread(cluster.wait)

    done = []
    for number in range(times):
        trouble = (one_away, fleet.kill_one, all_away, one_still)[number % 4]
        await asyncio.sleep(0.5)
        await trouble()
        done.append(trouble.__name__)
    return done


async def test_the_members_see_what_one_process_would_have_shown(tmp_path: Path) -> None:
    slots = {key_slot(redis_key(f"service_1.channel_{channel}.mana_bars")[0]) for channel in CHANNELS}
    assert len({slot * PRIMARIES // SLOTS for slot in slots}) == PRIMARIES, "the channels lie on all nodes"
    with Cluster(tmp_path, "--appendonly", "yes", "--appendfsync", "always", replicas=False) as cluster:
        fleet = Fleet(tmp_path, configs(tmp_path, {"url": cluster.url, "timeout": 3.0, "connect_timeout": 1.0}, CHANNELS))
        await fleet.start(PROCESSES)
        members = [RoamingMember(f"member{number}", CHANNELS[number % len(CHANNELS)], fleet.addresses) for number in range(MEMBERS)]
        trouble = asyncio.ensure_future(lose_nodes(cluster, fleet, max(4, TROUBLES * 2 // 3)))
        await asyncio.gather(*(play(member, number, trouble) for number, member in enumerate(members)))
        troubles = await trouble
        for channel in CHANNELS:
            inside = [member for member in members if member.channel == channel]
            last = max(number for member in inside for number, found in member.seen.items() if is_public(found))
            await asyncio.gather(*(member.settle(last) for member in inside))
        logs = await fleet.end()
    print(f"{sum(len(member.sent) for member in members)} commands, {troubles}, {sum(member.comings for member in members)} connections")
    for channel in CHANNELS:
        check([member for member in members if member.channel == channel])
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line], logs
