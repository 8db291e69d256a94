"""Loads one store in a process of its own and prints what it took as JSON; the storage benchmark starts it.

    python benchmarks/cold_load.py "sqlite3 WAL FULL" FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MSGSPEC = "msgspec decode of Mooring's file"


def main() -> None:
    """Time from opening to the last value read, without the start of Python and the imports."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # this folder's storage.py would hide the package of that name
    name, folder = sys.argv[1], Path(sys.argv[2])
    result = _decode(folder) if name == MSGSPEC else _load(name, folder)
    sys.stdout.write(json.dumps(result))


def _decode(folder: Path) -> dict[str, float]:
    import msgspec

    [path] = folder.rglob("*.json")
    before = _resident_bytes()
    start = time.perf_counter()
    values = msgspec.json.decode(path.read_bytes())
    elapsed = time.perf_counter() - start
    return {"open": elapsed, "read_all": elapsed, "keys": len(values), "memory": _resident_bytes() - before}


def _load(name: str, folder: Path) -> dict[str, float]:
    from benchmarks.contenders import MOORING, NEVER_SYNCED, by_name

    contender = by_name(name)
    if contender in (MOORING, NEVER_SYNCED):
        import storage.json.database
        import storage.moobius_storage  # noqa: F401
    elif name.startswith("moobius"):
        import moobius.database.storage  # noqa: F401
    before = _resident_bytes()
    start = time.perf_counter()
    with contender.open(folder) as session:
        opened = time.perf_counter() - start
        # `dict` of a dict subclass copies without reading, and of anything else reads every value.
        values: Any = {key: value for key, value in session.mapping.items()}  # noqa: C416
        elapsed = time.perf_counter() - start
        memory = _resident_bytes() - before
        return {"open": opened, "read_all": elapsed, "keys": len(values), "memory": memory}


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


if __name__ == "__main__":
    main()
