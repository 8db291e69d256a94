"""A real process, killed with SIGKILL at random moments. MOORING_CRASH_ROUNDS says how often."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from storage.encoding import codec
from storage.json.database import JSONDatabase
from tests.crash.committing import DOMAINS, TASKS, changes_of

ROUNDS = int(os.environ.get("MOORING_CRASH_ROUNDS", "100"))
LONGEST_LIFE = 0.08
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_nothing_acknowledged_is_missing_after_kills_at_random_moments(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    model: dict[str, bytes] = {}
    first = 1
    survived = 0
    for number in range(ROUNDS):
        acknowledged = _one_life(tmp_path / "store", first, number, moments.uniform(0, LONGEST_LIFE))
        first, model = _check(tmp_path / "store", model, first, acknowledged, clean=moments.random() < 0.3)
        survived += len(acknowledged)
    assert survived > ROUNDS, "the processes were killed before they could do anything"


def _one_life(folder: Path, first: int, seed: int, seconds: float) -> list[int]:
    """Returns the numbers that the process acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.crash.committing", str(folder), str(first), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        head = process.stdout.readline()  # from the first commit on, any moment is a good one
        time.sleep(seconds)
        assert process.poll() is None, process.stderr.read().decode()
        process.kill()
        lines = [head, *process.stdout.read().splitlines(keepends=True)]
    return [int(line) for line in lines if line.endswith(b"\n")]


def _check(root: Path, model: dict[str, bytes], first: int, acknowledged: list[int], *, clean: bool) -> tuple[int, dict[str, bytes]]:
    """The folder must hold the model with the commits up to some number, which is at least the last acknowledged one."""
    if not clean:
        # Without this the next process finds a clean folder each time; with it, it is the one that recovers.
        return _check_copy(root, model, first, acknowledged)
    databases = [JSONDatabase(domain, root) for domain in DOMAINS]
    try:
        return _compare(databases, model, first, acknowledged)
    finally:
        for database in databases:
            database.close()


def _check_copy(root: Path, model: dict[str, bytes], first: int, acknowledged: list[int]) -> tuple[int, dict[str, bytes]]:
    copy = root.with_name("copy")
    subprocess.run(["cp", "-r", str(root), str(copy)], check=True)
    databases = [JSONDatabase(domain, copy) for domain in DOMAINS]
    try:
        return _compare(databases, model, first, acknowledged)
    finally:
        for database in databases:
            database.close()
        subprocess.run(["rm", "-r", str(copy)], check=True)


def _compare(databases: list[JSONDatabase], model: dict[str, bytes], first: int, acknowledged: list[int]) -> tuple[int, dict[str, bytes]]:
    a, b = ({key: bytes(value) for key, value in database.load_all().items()} for database in databases)
    assert a == b, "a commit is in one dict and not in the other"
    for database in databases:
        assert {finding.kind for finding in database.report} <= {"replayed", "torn"}, database.report
    assert sorted(acknowledged) == list(range(first, first + len(acknowledged))) or len(acknowledged) < TASKS
    last = msgspec.json.decode(a["last"])
    assert last >= max(acknowledged, default=first - 1), "an acknowledged commit is missing"
    for number in range(first, last + 1):
        for key, value in changes_of(number):
            if value is None:
                model.pop(key, None)
            else:
                model[key] = bytes(value)
    assert a == model
    assert codec.decode(a["last"]) == last
    return last + 1, model
