"""`mooring status`, with a service that runs, with one that cannot work, and with none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from mooring.control.messages import MOST_BYTES
from mooring.service.status import chosen, describe
from tests.mooring.cli.test_channels import mooring
from tests.process_for_tests import asked, member, start, write_configs


async def test_the_running_service_says_how_it_is(tmp_path: Path) -> None:
    options = write_configs(tmp_path, channels=["tavern", "library"], plugins=["help", "bars", "web", "torbox"])
    assert await mooring(tmp_path, "status") == (3, "No service runs with this config.\n")
    process = await start(tmp_path, *options)
    async with member(process.address, "tavern", name="ann"):
        code, said = await mooring(tmp_path, "status", "--json")
        [told] = json.loads(said)
        assert (code, told["ready"], told["problems"], told["addresses"]) == (0, True, [], [process.address])
        assert (told["service_id"], told["pid"], told["plugins"]) == ("1", process.process.pid, ["help", "bars", "web", "torbox"])
        tavern = told["channels"]["tavern"]
        assert (tavern["members"], tavern["here"], tavern["waiting"], tavern["outbox"]) == (1, 1, 0, {})
        assert tavern["seconds_since_commit"] >= 0
        assert tavern["schedules"] == {"planned": 0, "given_up": 0}
        assert told["channels"]["library"]["members"] == 0
        assert (await asked(tmp_path, "status", channel_id="tavrn")).message == "No channel tavrn is open here. Did you mean tavern?"
        (tmp_path / "torbox_db").touch()  # a file where its folder has to be
        code, said = await mooring(tmp_path, "status", "tavern")
        assert (code, f"at {process.address}: NOT READY" in said, "library" in said) == (1, True, False)
        assert "tavern: 1 member, 1 here, committed" in said
        assert "! torbox: the folder" in said
    assert (await process.end())[0] == 0


def test_thousands_of_channels_are_one_line_on_the_socket() -> None:
    members = type("Members", (), {"present": lambda _: (), "__len__": lambda _: 10_000})
    state = SimpleNamespace(members=members())
    hosted: Any = {f"channel-{number:080}": SimpleNamespace(config=SimpleNamespace(title="t" * 300), state=state) for number in range(5000)}
    told = chosen(hosted, None)
    facts = {"storage_answers": False, "waiting": 1000, "last_commit": 1e9 / 7, "seconds_since_commit": 1e9 / 7}
    health = {"ready": False, "problems": ["p" * 1000] * 5000, "channels": dict.fromkeys(hosted, facts)}
    waits: Any = SimpleNamespace(waiting=lambda _: {"matrix": SimpleNamespace(count=10_000, since=1.0 / 7)})
    schedules = {channel_id: {"planned": sys.maxsize, "given_up": 1} for channel_id in told}
    described = describe(told, hosted, health, schedules, deliveries=waits, now=1e9)
    assert len(msgspec.json.encode(described)) < MOST_BYTES
    assert (described["channels_in_all"], described["more_problems"]) == (5000, 4900)
