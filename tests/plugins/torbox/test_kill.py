"""SIGKILL during inserts and refreshes: what was acknowledged is there, and nothing is there in half."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tinydb import TinyDB

from mooring.plugins.torbox.database_functions import closeAllDatabases, getAllData, getDatabase, insertData
from mooring.plugins.torbox.refresh import generation_of
from mooring.plugins.torbox.table import JournalDB

ROOT = Path(__file__).parents[3]

INSERTS = """
from mooring.plugins.torbox.database_functions import insertData
from mooring.plugins.torbox.pool import SHARED_POOL
SHARED_POOL._store_settings["checkpoint_bytes"] = 3000
import itertools, sys
for number in itertools.count():
    success, message = insertData({"number": number, "text": "x" * 50}, "torrents")
    assert success, message
    print(number, flush=True)
"""

REFRESHES = """
from mooring.plugins.torbox.database_functions import refresh
from mooring.plugins.torbox.pool import SHARED_POOL
from mooring.plugins.torbox.records import collect
from tests.plugins.torbox.torbox_server import make_items
SHARED_POOL._store_settings["checkpoint_bytes"] = 20000
import itertools
lists = [collect("torrents", make_items(60, first=first)).records for first in (1, 31)]
for number in itertools.count(1):
    records = [{**record, "generation": number} for record in lists[number % 2]]
    assert refresh("torrents", records).generation.number == number
    print(number, flush=True)
"""


def run_and_kill(script: str, after: int) -> int:
    """Kill the process when it has said so many lines, or a moment later; the last number that it said."""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    last = -1
    for line in process.stdout:
        last = int(line)
        if last >= after:
            process.send_signal(signal.SIGKILL)
            break
    for line in process.stdout:  # what it said before the signal came through
        if line.endswith("\n"):
            last = int(line)
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()
    return last


@pytest.mark.parametrize("after", random.Random(4).sample(range(1, 900), 5))
def test_every_acknowledged_insert_is_there(after: int) -> None:
    last = run_and_kill(INSERTS, after)
    numbers = [record["number"] for record in getAllData("torrents")[0] or []]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) in (last + 1, last + 2)
    assert insertData({"number": -1}, "torrents")[0]
    closeAllDatabases()
    with TinyDB(Path("torbox_db") / "torrents.json") as stock:
        assert len(stock) == len(numbers) + 1


@pytest.mark.parametrize("after", random.Random(5).sample(range(2, 40), 4))
def test_a_generation_is_there_whole_or_not_at_all(after: int) -> None:
    last = run_and_kill(REFRESHES, after)
    database = getDatabase("torrents")
    assert isinstance(database, JournalDB)
    generation = generation_of(database)
    assert generation is not None
    assert generation.number in (last, last + 1)
    records = database.all()
    assert {record["generation"] for record in records} == {generation.number}
    first = (1, 31)[generation.number % 2]
    assert sorted(record["item_id"] for record in records) == list(range(first, first + 60))


def test_a_database_that_another_process_has_open_is_refused_with_its_number() -> None:
    process = subprocess.Popen([sys.executable, "-c", INSERTS], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.stdout is not None
    process.stdout.readline()
    assert getDatabase("torrents") is None
    success, message = insertData({"number": -1}, "torrents")
    assert not success
    assert str(process.pid) in message
    process.kill()
    process.wait(30)
    process.stdout.close()
    assert insertData({"number": -1}, "torrents")[0]
