"""The measurements that ask about Mooring alone, or beside a bare system call: the aims that no table of contenders shows."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders import MOORING, SQLITE_FULL, Pairs, make_key, make_value
from benchmarks.measuring import Figures, note
from storage.moobius_storage import MoobiusStorage

CHANNELS = 50


def synced_commits(folder: Path, figures: Figures, commits: int = 300) -> None:
    """A commit of ten changes, and after each one a bare append of as many bytes with fdatasync."""
    folder.mkdir()
    root = folder / "root"
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times: dict[str, list[float]] = {"commit of 10": [], "append and fdatasync": []}
    with MOORING.open(root) as session:
        session.transaction(_ten_changes(0))
        before = _journal_bytes(root)
        session.transaction(_ten_changes(1))
        line = b"x" * (_journal_bytes(root) - before)
        for number in range(commits):
            changes = _ten_changes(number + 2)
            start = time.perf_counter()
            session.transaction(changes)
            middle = time.perf_counter()
            os.write(bare, line)
            os.fdatasync(bare)
            end = time.perf_counter()
            times["commit of 10"].append(middle - start)
            times["append and fdatasync"].append(end - middle)
    os.close(bare)
    for name, spent in times.items():
        note(figures, "one synced commit of 10 changes", name, statistics.median(spent))


def _ten_changes(number: int) -> Pairs:
    # Other values each time: a transaction that changes nothing writes nothing.
    return [(make_key(place), make_value(number + place)) for place in range(10)]


def _journal_bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / "journal").iterdir())


def many_channels(folder: Path, figures: Figures, commits: int = 200) -> None:
    """Fifty channels that each commit one change after the other, all of them at once; and sqlite3 with one writer."""
    folder.mkdir()
    spent = asyncio.run(_commit_in_channels(folder / "root", commits))
    note(figures, "synced commits, 50 channels at once", "Mooring", spent / (commits * CHANNELS))
    (folder / "sqlite").mkdir()
    with SQLITE_FULL.open(folder / "sqlite") as session:
        start = time.perf_counter()
        for number in range(2000):
            session.mapping["member"] = make_value(number)
        spent = time.perf_counter() - start
    note(figures, "synced commits, 50 channels at once", SQLITE_FULL.name, spent / 2000)


async def _commit_in_channels(root: Path, commits: int) -> float:
    config = [{"implementation": "json", "name": "bars", "settings": {"root_dir": str(root)}}]

    async def one_channel(storage: MoobiusStorage) -> None:
        for number in range(commits):
            async with storage.transaction():
                storage.bars["member"] = make_value(number)

    with ExitStack() as stack:
        storages = [stack.enter_context(MoobiusStorage("bench", f"channel {number}", config)) for number in range(CHANNELS)]
        start = time.perf_counter()
        await asyncio.gather(*map(one_channel, storages))
        return time.perf_counter() - start


def cost_at_sizes(folder: Path, figures: Figures, small: int, large: int, sets: int = 100_000) -> None:
    """So many overwrites on a small and on a large store that both write checkpoints meanwhile."""
    for size in sorted({small, large}):
        (folder / str(size)).mkdir(parents=True)
        with MOORING.open(folder / str(size)) as session:
            session.bulk({make_key(number): make_value(number) for number in range(size)})
            keys = [make_key(number * 7919 % size) for number in range(sets)]
            values = [make_value(number) for number in range(97)]
            mapping = session.mapping
            start = time.perf_counter()
            for number, key in enumerate(keys):
                mapping[key] = values[number % 97]
            spent = time.perf_counter() - start
        note(figures, f"set, checkpoints included, {size:,} keys", "Mooring", spent / sets)


def retained_journal(folder: Path, figures: Figures, commits: int = 5_000) -> None:
    """Transactions with checkpoints meanwhile and a clean close at the end, with the journal retained as by default, and without; processor time."""
    for name, days in (("retained", 30), ("not retained", 0)):
        settings = {"root_dir": str(folder / name), "retention_days": days, "checkpoint_bytes": 400_000}
        start = time.process_time()
        with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": settings}) as storage:
            for number in range(commits):
                with storage.transaction("m-0123456789abcdef", f"event {number}"):
                    storage.bars[make_key(number % 500)] = make_value(number)
        note(figures, "transaction, checkpoints and close included", name, (time.process_time() - start) / commits)
