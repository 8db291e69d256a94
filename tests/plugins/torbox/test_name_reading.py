"""Names are read in other processes, each once, and these end with the service."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from mooring.plugins.torbox import name_reading
from mooring.plugins.torbox.name_reading import known_names, read_names
from mooring.plugins.torbox.records import collect
from mooring.plugins.torbox.release_names import Names, read_release_name
from tests.plugins.torbox.torbox_server import make_items

MANY = [Names(f"Show.{number}.S01E{number % 30 + 1:02d}.1080p.mkv", "folder") for number in range(350)]


def workers(pid: int | None = None) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if any("name_worker" in part for part in child.cmdline())]


async def test_many_names_are_read_in_processes_of_their_own() -> None:
    heard: list[int] = []
    seen: set[int] = set()

    def on_read(count: int) -> None:
        heard.append(count)
        seen.update(worker.pid for worker in workers())

    said = await read_names([*MANY, *MANY, Names("odd \ud800 name.2020.mkv", "\n")], on_read)
    assert said == {name: read_release_name(*name) for name in [*MANY, Names("odd \ud800 name.2020.mkv", "\n")]}
    assert seen
    assert heard == sorted(heard)
    assert heard[-1] == 351
    assert workers() == []


async def test_few_names_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_reading, "_start", None)
    assert await read_names(MANY[:50], lambda _: None) == {name: read_release_name(*name) for name in MANY[:50]}


async def test_a_process_that_dies_costs_no_name(caplog: pytest.LogCaptureFixture) -> None:
    def on_read(_: int) -> None:
        for worker in workers():
            worker.kill()

    assert len(await read_names(MANY, on_read)) == len(MANY)
    assert "they are read in the service" in caplog.text


async def test_without_processes_names_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert len(await read_names(MANY, lambda _: None)) == len(MANY)
    assert "no process can be started" in caplog.text


async def test_cancelling_ends_the_processes() -> None:
    reading = asyncio.create_task(read_names(MANY * 1, lambda _: None))
    while not workers():
        await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert workers() == []


def test_processes_end_with_a_service_that_is_killed() -> None:
    program = """
import asyncio
from mooring.plugins.torbox.name_reading import read_names
from mooring.plugins.torbox.release_names import Names
names = [Names(f"Show.{number}.S01E01.mkv", "folder") for number in range(200_000)]
asyncio.run(read_names(names, lambda count: print(count, flush=True)))
"""
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)})
    assert process.stdout is not None
    process.stdout.readline()
    orphans = workers(process.pid)
    assert orphans
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert psutil.wait_procs(orphans, timeout=30)[1] == []


def test_what_records_say_is_taken_over() -> None:
    records = collect("torrents", make_items(2)).records
    records[0]["metadata_title"] = "By hand"
    known = known_names([*records, {"file_name": "somebody.elses.mkv"}])
    assert len(known) == 2
    first = records[0]
    assert known[Names(first["file_name"], first["folder_name"], first["path"])].title == "By hand"
