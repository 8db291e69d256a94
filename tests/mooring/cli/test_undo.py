"""`mooring undo` takes back what was done, in the running service and in the store."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest

from storage import MoobiusStorage
from tests.process_for_tests import Process, member, start, write_configs


class Folder:
    """A service, running or not, and its command line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.options = write_configs(path)

    async def run(self, *arguments: str, code: int = 0) -> list[str]:
        line = [str(Path(sys.executable).with_name("mooring")), *arguments, *self.options]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*line, cwd=self.path, stdout=pipe, stderr=pipe)
        said, told = await process.communicate()
        assert process.returncode == code, (said, told)
        return (said + told).decode().splitlines()

    async def bars(self) -> dict[str, int]:
        """What the newest changes were to, by the key's name, from the history; nobody reads files here that a process has open."""
        lines = [json.loads(line) for line in await self.run("history", "tavern", "health_bars", "--json")]
        return {line["key"]: line.get("new") for line in lines}


async def served(folder: Folder) -> Process:
    """Bob hit Ann, who healed herself, and then himself."""
    process = await start(folder.path, *folder.options)
    async with member(process.address, name="ann") as ann, member(process.address, name="bob") as bob:
        await bob.say("/hit @ann 20")
        await ann.say("/heal @ann 5")
        await bob.say("/hit @bob 30")
    return process


@pytest.mark.parametrize("is_running", [True, False])
async def test_what_a_member_did_is_taken_back_as_far_as_nobody_built_on_it(tmp_path: Path, is_running: bool) -> None:
    folder = Folder(tmp_path)
    process = await served(folder)
    if not is_running:
        process.kill()
        await process.wait()
    before = await folder.bars()
    line = ("undo", "tavern", "--since", "1h", "--member", "bob")
    told = await folder.run(*line, "--yes", code=1)
    assert sum("changed since by bars: /heal" in each for each in told) == 1, told
    assert told[-1].startswith("1 of "), told
    assert await folder.bars() == before, "nothing was done"
    planned = await folder.run(*line, "--keep-later", "--plan")
    assert await folder.bars() == before
    told = await folder.run(*line, "--keep-later", "--yes")
    assert told[:-1] == planned
    assert await folder.bars() != before
    newest = [json.loads(each) for each in await folder.run("history", "tavern", "health_bars", "--json")][-1]
    assert newest["command"] == "undo"
    if is_running:
        async with member(process.address, name="cid") as cid:
            await cid.say("/hit @bob 1")
        assert len(await folder.run("history", "tavern", "health_bars", "--member", "cid")) > 0
        assert (await process.end())[0] == 0


async def test_an_event_is_taken_back_and_the_way_back_is_an_event_as_well(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    process = await served(folder)
    lines = [json.loads(line) for line in await folder.run("history", "tavern", "health_bars", "--json")]
    hit = lines[-1]
    assert (hit["command"], hit["name"], hit["key"]) == ("bars: /hit", "bob", hit["member"])
    moment = time.time()
    told = await folder.run("undo", "tavern", hit["event"], "--yes")
    new, old = (json.dumps(hit[which], separators=(",", ":")) for which in ("new", "old"))
    assert told == [f"health_bars[{hit['key']!r}]: {new} -> {old}", "Keys set back: 1; left as they are: 0."]
    assert (await folder.bars())[hit["key"]] == hit["old"]
    told = await folder.run("undo", "tavern", hit["event"], "--yes", code=1)
    assert told[-1] == "Nothing that is kept was changed by it."
    await folder.run("undo", "tavern/health_bars", "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment)), "--yes")
    assert (await folder.bars())[hit["key"]] == hit["new"]
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(lines[0]["at"] - 1))
    told = await folder.run("restore", "tavern/health_bars", "--at", when, "--plan")
    assert len(told) == 2, "both bars would go, and nothing does yet"
    assert all(line.endswith(" -> nothing") for line in told)
    assert (await folder.bars())[hit["key"]] == hit["new"]
    await folder.run("restore", "tavern/health_bars", "--at", when, "--yes")
    assert set((await folder.bars()).values()) == {None}
    await folder.run("restore", "tavern", "--at", when, "--replace", code=2)
    assert (await process.end())[0] == 0


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("undo", "tavern"), "Say which event is to be undone, or since when."),
        (("undo", "cellar", "--since", "1h"), "cellar"),
        (("undo", "tavern", "nothing-like-it"), "Nothing that is kept was changed by it."),
    ],
)
async def test_what_cannot_be_meant_is_told_in_a_line(tmp_path: Path, arguments: tuple[str, ...], problem: str) -> None:
    folder = Folder(tmp_path)
    told = await folder.run(*arguments, "--yes", code=1)
    assert len(told) == 1
    assert problem in told[0]


async def test_a_moment_that_is_none_names_what_it_should_be(tmp_path: Path) -> None:
    told = await Folder(tmp_path).run("undo", "tavern", "--since", "yesterday", code=2)
    assert "90s, 10m" in told[0]
    assert "2026-11-27T20:15" in told[0]


async def test_dicts_that_a_channel_keeps_in_a_folder_of_its_own_are_looked_for_there(tmp_path: Path) -> None:
    scores = {"implementation": "json", "name": "scores", "settings": {"root_dir": "other_db"}}
    folder = Folder(tmp_path)
    folder.options = write_configs(tmp_path, channels=[{"id": "tavern", "dicts": [scores]}])
    place = {**scores, "settings": {"root_dir": str(tmp_path / "other_db")}}
    with MoobiusStorage("1", "tavern", place) as storage, storage.transaction("ann", "event 1"):
        storage.scores["ann"] = 3
    process = await start(folder.path, *folder.options)
    (line,) = [json.loads(line) for line in await folder.run("history", "tavern", "scores", "--json")]
    assert (line["event"], line["new"]) == ("event 1", 3)
    told = await folder.run("undo", "tavern", "event 1", "--yes")
    assert told == ["scores['ann']: 3 -> nothing", "Keys set back: 1; left as they are: 0."]
    assert (await process.end())[0] == 0


@pytest.mark.parametrize("is_running", [True, False])
async def test_many_keys_are_one_commit(tmp_path: Path, is_running: bool) -> None:
    scores = {"implementation": "json", "name": "scores", "settings": {"root_dir": "json_db"}}
    folder = Folder(tmp_path)
    folder.options = write_configs(tmp_path, db=[scores], plugins=["help", "web"])
    with MoobiusStorage("1", "tavern", {**scores, "settings": {"root_dir": str(tmp_path / "json_db")}}) as storage:
        storage.scores["kept"] = 1
        with storage.transaction("ann", "event 1"):
            storage.scores.update({str(number): number for number in range(450)})
    process = await start(folder.path, *folder.options) if is_running else None
    told = await folder.run("undo", "tavern", "event 1", "--yes")
    assert told[-2:] == ["... and 250 more", "Keys set back: 450; left as they are: 0."]
    lines = [json.loads(line) for line in await folder.run("history", "tavern", "scores", "--limit", "1000", "--json")]
    assert len({line["at"] for line in lines[-450:]}) == 1
    assert {line["key"] for line in lines if "new" in line and line["key"] not in {each["key"] for each in lines[-450:]}} == {"kept"}
    if process is not None:
        assert (await process.end())[0] == 0
