"""`mooring history` tells who changed what, beside the running service and after its end."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from storage import MoobiusStorage
from tests.process_for_tests import member, start, write_configs


async def history(folder: Path, options: list[str], *arguments: str) -> list[str]:
    line = [str(Path(sys.executable).with_name("mooring")), "history", *arguments, *options]
    process = await asyncio.create_subprocess_exec(*line, cwd=folder, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode().splitlines()


async def test_who_changed_what(tmp_path: Path) -> None:
    options = write_configs(tmp_path)
    process = await start(tmp_path, *options)
    async with member(process.address, name="ann") as ann, member(process.address, name="bob") as bob:
        await bob.say("/hit @ann 20")
        await ann.say("/heal @bob 5")
        await bob.say("/hit @ann 30")
    lines = await history(tmp_path, options, "tavern", "health_bars", "ann")
    assert [line[19:] for line in lines][-1].startswith("  bob  bars: /hit  health_bars["), lines
    assert [" /hit " in line for line in lines] == [False, True, True], "her bar was made, and hit twice"
    process.kill()
    await process.wait()
    assert await history(tmp_path, options, "tavern", "health_bars", "ann") == lines
    again = await start(tmp_path, *options)
    assert (await again.end())[0] == 0
    assert await history(tmp_path, options, "tavern", "health_bars", "ann") == lines
    (line,) = await history(tmp_path, options, "tavern", "--member", "bob", "--limit", "1", "--json")
    facts = json.loads(line)
    assert (facts["name"], facts["command"], facts["dict"]) == ("bob", "bars: /hit", "health_bars")
    assert facts["old"] != facts["new"]
    assert await history(tmp_path, options, "tavern", "--since", "1s", "--member", "nobody") == []
    assert any("members" in line for line in await history(tmp_path, options, "tavern", "_members"))


async def test_what_a_command_changed_in_a_store_of_all_channels_is_told_in_its_channel_alone(tmp_path: Path) -> None:
    options = write_configs(tmp_path, service_id="club")
    place = {"implementation": "json", "settings": {"root_dir": str(tmp_path / "json_db")}}
    with MoobiusStorage("club", "bank.gold", {**place, "name": "bank.gold"}, variant="store") as bank:
        gold = bank.declare("bank.gold")
        for number, channel in enumerate(("tavern", "library", "tavern")):
            with MoobiusStorage("club", channel, {**place, "name": "health_bars"}) as storage:
                storage.join("bank.gold", bank)
                with storage.transaction("ann", f"event {number}"):
                    storage.health_bars["ann"] = number
                    gold["ann"] = number
    told = [json.loads(line) for line in await history(tmp_path, options, "tavern", "--json")]
    assert [(each["dict"], each["new"]) for each in told] == [("health_bars", 0), ("bank.gold", 0), ("health_bars", 2), ("bank.gold", 2)]
    (first, last) = [json.loads(line) for line in await history(tmp_path, options, "tavern", "bank.gold", "--json")]
    assert ("old" in first, last["old"], last["new"]) == (False, 1, 2), "what was there before came from another channel"
