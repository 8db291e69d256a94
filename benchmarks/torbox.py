"""The TorBox cache beside what people keep such records in, all in one run.

    python benchmarks/torbox.py                             the whole run, some minutes
    python benchmarks/torbox.py --largest 10000 --rounds 3      under a minute

Contenders take turns in every round, and each figure is the median of the rounds; figures of different runs or machines are not to
be compared. `pip install betterjsonstorage tinydb-rust` brings the two that are no dependencies; those that are missing are left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.torbox_contenders import Contender

BUDGET = 0.2
"""Seconds for one measurement; a slow contender does fewer operations in it."""

Samples = dict[str, dict[str, list[float]]]
"""Operation -> contender -> seconds per operation."""


def make_record(number: int) -> dict[str, Any]:
    """One of the cache's own records, five files to an item."""
    item, file = divmod(number, 5)
    folder = f"Some.Film.Number.{item}.{1950 + item % 70}.1080p.WEB-DL.DDP5.1.H.264-GROUP"
    title = f"Some Film Number {number}"
    return {
        "item_id": item,
        "type": "torrents",
        "folder_name": folder,
        "folder_hash": f"{item:040x}",
        "file_id": file,
        "file_name": f"{folder}.{file}.mkv",
        "file_size": 1_000_000_000 + number,
        "file_mimetype": "video/x-matroska",
        "path": f"{folder}/{folder}.{file}.mkv",
        "extension": ".mkv",
        "metadata_title": title,
        "metadata_years": 1950 + item % 70,
        "metadata_season": None,
        "metadata_episode": None,
        "metadata_mediatype": "movie",
        "metadata_filename": f"{title} ({1950 + item % 70}).mkv",
        "metadata_rootfoldername": f"{title} ({1950 + item % 70})",
    }


def timed(action: Callable[[int], Any], numbers: Iterator[int], most: int) -> float:
    """Seconds per call of `action`, called at least once and until the budget is used up."""
    count, began = 0, time.perf_counter()
    while True:
        action(next(numbers))
        count += 1
        spent = time.perf_counter() - began
        if count >= most or spent > BUDGET:
            return spent / count


def measure_size(contenders: list[type[Contender]], size: int, rounds: int, samples: Samples) -> None:
    """Every operation at one number of records."""
    with tempfile.TemporaryDirectory() as folder:
        running = [contender() for contender in contenders]
        counters: dict[str, Iterator[int]] = {}
        for contender in running:
            contender.open(Path(folder))
            contender.insert_multiple([make_record(number) for number in range(size)])
            contender.settle()
            counters[contender.name] = iter(range(size, 1 << 40))
            if contender.only_in_turn:
                contender.close()
        for turn in range(rounds):
            for contender in running[turn % len(running) :] + running[: turn % len(running)]:
                if contender.only_in_turn:
                    contender.open(Path(folder))
                _one_turn(contender, size, turn, counters[contender.name], samples)
                if contender.only_in_turn:
                    contender.close()
        for contender in running:
            if not contender.only_in_turn:
                contender.close()


def _one_turn(contender: Contender, size: int, turn: int, fresh: Iterator[int], samples: Samples) -> None:
    # No number is searched for twice, because TinyDB remembers the answers to its latest queries.
    wanted = iter(range(turn * 20, size + 1000))

    def note(operation: str, seconds: float) -> None:
        samples.setdefault(f"{operation}, {size:,}", {}).setdefault(contender.name, []).append(seconds)

    records = iter([make_record(number) for number, _ in zip(fresh, range(200), strict=False)])
    note("insert", timed(lambda _: contender.insert(next(records)), iter(range(200)), 100))
    batch = [make_record(number) for number, _ in zip(fresh, range(100), strict=False)]
    note("insert_multiple of 100", timed(lambda _: contender.insert_multiple(batch), iter(range(1)), 1))
    note("all", timed(lambda _: contender.all(), iter(range(9)), 2))
    note("search by a field", timed(lambda number: contender.search_title(f"Some Film Number {number}"), wanted, 10))
    note("search by item and file", timed(lambda number: contender.search_file(number // 5, number % 5), wanted, 10))


def measure_by_id(size: int, rounds: int, samples: Samples) -> None:
    """Update, get and remove by id, for Mooring alone: they are to cost the same at every size."""
    from mooring.plugins.torbox.table import JournalDB

    with tempfile.TemporaryDirectory() as folder, JournalDB(Path(folder) / "records.json") as database:
        database.insert_multiple(make_record(number) for number in range(size))
        database.store.checkpoint()
        removed = iter(range(1, size + 1))
        for turn in range(rounds):
            ids = range(size, size // 2, -1)
            actions: dict[str, tuple[Callable[[int], Any], Iterator[int], int]] = {
                "update by id": (partial(_update, database, turn), iter(ids), 40),
                "get by id": (lambda number: database.get(doc_id=number), iter(ids), 40),
                "remove by id": (lambda number: database.remove(doc_ids=[number]), removed, max(1, size // 4 // rounds)),
            }
            for operation, (action, numbers, most) in actions.items():
                samples.setdefault(operation, {}).setdefault(f"{size:,}", []).append(timed(action, numbers, min(most, 40)))


def _update(database: Any, turn: int, number: int) -> None:
    database.update({"file_size": turn * 1000 + number}, doc_ids=[number])


def measure_steady(size: int, samples: Samples) -> None:
    """As many inserts again as there are records, checkpoints included: they rewrite the file each time the journal has its size."""
    from mooring.plugins.torbox.table import JournalDB

    for start in (1_000, size):
        with tempfile.TemporaryDirectory() as folder, JournalDB(Path(folder) / "records.json") as database:
            database.insert_multiple(make_record(number) for number in range(start))
            database.store.checkpoint()
            records = [make_record(number) for number in range(size)]
            began = time.perf_counter()
            for record in records:
                database.insert(record)
            samples.setdefault("insert, checkpoints included", {}).setdefault(f"{start:,}", []).append((time.perf_counter() - began) / size)


def measure_refresh(rounds: int, samples: Samples) -> None:
    """20,000 records of which 1 % changed: comparing, committing and syncing, without the network and without reading new names."""
    from mooring.plugins.torbox.refresh import replace_generation
    from mooring.plugins.torbox.table import JournalDB

    with tempfile.TemporaryDirectory() as folder, JournalDB(Path(folder) / "torrents.json") as database:
        records = [make_record(number) for number in range(20_000)]
        replace_generation(database, "torrents", records)
        for turn in range(rounds):
            changed = [{**record, "file_size": turn} if index % 100 == turn % 100 else dict(record) for index, record in enumerate(records)]
            began = time.perf_counter()
            refreshed = replace_generation(database, "torrents", changed)
            samples.setdefault("refresh of 20,000, 1% changed", {}).setdefault("Mooring", []).append(time.perf_counter() - began)
            assert 0 < refreshed.changed <= 400


def measure_text_search(size: int, rounds: int, samples: Samples) -> None:
    """Free text, beside a plain scan over the same prepared strings."""
    from mooring.plugins.torbox.search import search_records
    from mooring.plugins.torbox.search_index import searchable
    from mooring.plugins.torbox.table import JournalDB

    with tempfile.TemporaryDirectory() as folder, JournalDB(Path(folder) / "torrents.json") as database:
        database.insert_multiple(make_record(number) for number in range(size))
        prepared = [searchable(record).text for record in database.all()]
        search_records(database, "once, to prepare")
        for turn in range(rounds):
            text = f"number {size // 2 + turn}"
            words = text.split()
            began = time.perf_counter()
            found = search_records(database, text)
            between = time.perf_counter()
            hits = [position for position, line in enumerate(prepared) if all(word in line for word in words)]
            ended = time.perf_counter()
            assert len(found) == len(hits) > 0
            operation = f"free text, {size:,}"
            samples.setdefault(operation, {}).setdefault("Mooring", []).append(between - began)
            samples[operation].setdefault("plain scan", []).append(ended - between)


def main(largest: int = 100_000, rounds: int = 7) -> None:
    """Measure and print."""
    from benchmarks.torbox_contenders import installed
    from benchmarks.torbox_names import report as report_names
    from benchmarks.torbox_report import report

    samples: Samples = {}
    contenders = installed()
    sizes = [size for size in (100, 1_000, 10_000, 100_000) if size <= largest]
    for size in sizes:
        measure_size(contenders, size, max(3, rounds // 2) if size > 10_000 else rounds, samples)
    for size in (sizes[0], sizes[-1]):
        measure_by_id(size, rounds, samples)
    for _ in range(3):
        measure_steady(largest, samples)
    measure_refresh(rounds, samples)
    measure_text_search(largest, rounds, samples)
    report(contenders, sizes, samples)
    for line in report_names():
        print(line)


if __name__ == "__main__":
    # Python puts this folder first on the path, where the repository's root has to be.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    import typer

    typer.run(main)
