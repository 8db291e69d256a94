"""A process on JSON files that is killed with SIGKILL while its channels change what they share: once, whole, or not at all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.shared.fleet import CHANNELS, MEMBERS, TROUBLES, Fleet, check, check_together, configs, is_public, play
from tests.shared.roaming_member import RoamingMember

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shared_root", ["json_db", "elsewhere"])
async def test_nothing_is_lost_doubled_or_half_done(tmp_path: Path, shared_root: str) -> None:
    channels = [f"channel{number}" for number in range(CHANNELS)]
    options = configs(tmp_path, {"root_dir": "json_db"}, channels, "sharing", engine="json")
    if shared_root != "json_db":
        file = tmp_path / "db_config.json"
        store = {"implementation": "json", "name": "sharing.shared", "settings": {"root_dir": shared_root}}
        file.write_text(json.dumps([*json.loads(file.read_text()), store]))
    fleet = Fleet(tmp_path, options)
    await fleet.start(1)
    members = [RoamingMember(f"member{number}", channels[number % CHANNELS], fleet.addresses) for number in range(MEMBERS)]

    async def make_trouble() -> None:
        for _ in range(TROUBLES // 2):
            await asyncio.sleep(0.7)
            await fleet.kill_one()

    trouble = asyncio.ensure_future(make_trouble())
    await asyncio.gather(*(play(member, number, trouble, is_shared=True) for number, member in enumerate(members)))
    await trouble
    for channel in channels:
        inside = [member for member in members if member.channel == channel]
        last = max(number for member in inside for number, found in member.seen.items() if is_public(found))
        await asyncio.gather(*(member.settle(last) for member in inside))
    logs = await fleet.end()
    for channel in channels:
        check([member for member in members if member.channel == channel])
    check_together(members)
    assert fleet.killed == TROUBLES // 2
    assert not [line for log in logs for line in log.splitlines() if "Traceback" in line], logs
