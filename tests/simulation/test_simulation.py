"""The whole service in simulated time, with a disk, a network and kills by seed. `make simulate SEEDS=100000` runs more of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

SEEDS = 200


def simulate(*options: str, hash_seed: int = 0) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run([sys.executable, "-m", "tests.simulation", *options], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_seed_breaks_a_promise() -> None:
    said = simulate("--seeds", str(SEEDS))
    assert f"{SEEDS} of {SEEDS} seeds, 0 failed" in said
    # Whoever makes the runs milder makes them worthless.
    kills, faults = (int(re.findall(rf"(\d+) {what}", said)[-1]) for what in ("kills", "disk faults"))
    assert kills > SEEDS
    assert faults > SEEDS / 2


def test_a_seed_gives_the_same_run_again() -> None:
    for seed in (3, 11):
        first, second = (simulate("--seeds", "1", "--from", str(seed), "--trace", hash_seed=each) for each in (1, 2))
        assert digest(first) == digest(second)


def test_seeds_differ() -> None:
    assert digest(simulate("--seeds", "1", "--from", "1")) != digest(simulate("--seeds", "1", "--from", "2"))


def digest(said: str) -> str:
    found = re.search(r"seed \d+: ([0-9a-f]{64})", said)
    assert found is not None
    return found[1]
