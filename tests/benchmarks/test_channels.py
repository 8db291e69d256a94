"""The benchmark of many channels measures channels that are there, on both engines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.channels import MEASURES


def test_it_measures_each_engine_at_each_count(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.channels", "--counts", "8", "12", "--rounds", "1", "--results", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(results.read_text())
    assert {engine: set(by_count) for engine, by_count in figures.items()} == {"json": {"8", "12"}, "redis": {"8", "12"}}
    for samples in (samples for by_count in figures.values() for samples in by_count.values()):
        assert samples.keys() == MEASURES.keys()
        assert samples["awake"][0] > samples["closed"][0], "what a channel took is given back"
