"""Folders that earlier versions left, as they were left by a kill: each must open for ever. Add one per format, change none."""

from __future__ import annotations

import datetime
import decimal
import shutil
import uuid
from pathlib import Path

import pytest

from storage.json.database import JSONDatabase

KEPT = Path(__file__).with_name("kept")
BARS = {"ann": 79, "bob": {"hp": 3, "items": [1, 2.5, None, True, "é"]}, "$dollar": "x", "\ud800": 1, "dora": [{}]}
ODD = {
    "set": {1, 2},
    "tuple": (1, (2,)),
    "bytes": b"\0\xff",
    "when": datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    "day": datetime.date(2026, 1, 2),
    "price": decimal.Decimal("1.50"),
    "id": uuid.UUID(int=7),
    "tag": {"$set": [1]},
    "span": datetime.timedelta(days=1, seconds=2),
    "frozen": frozenset({"a"}),
}


@pytest.mark.parametrize("version", sorted(path.name for path in KEPT.iterdir() if path.is_dir()))
def test_files_of_earlier_versions_open(tmp_path: Path, version: str) -> None:
    shutil.copytree(KEPT / version, tmp_path / "store")
    for _ in range(2):  # from the journal, and from the snapshots that this version writes
        for domain, expected in {"service_1.channel_tavern.health_bars": BARS, "service_1.channel_%2E%2E/Tavern 🎲.odd": ODD}.items():
            database = JSONDatabase(domain, tmp_path / "store")
            values = {key: database.get_value(key) for key in database.all_keys()}
            assert values == {key: (True, value) for key, value in expected.items()}
            assert {finding.kind for finding in database.report} <= {"replayed"}
            database.close()
