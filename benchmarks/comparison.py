"""One run of the storage benchmark: fills the stores, lets the contenders take turns, and keeps every sample."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks.aims import aims_of
from benchmarks.cold_load import MSGSPEC
from benchmarks.contenders import CONTENDERS, MISSING, MOORING, PLAIN_DICT, Contender, Session, bytes_on_disk, dbm_name, make_key, make_value
from benchmarks.measuring import Figures, note, per_operation, shuffled
from benchmarks.scenarios import cost_at_sizes, many_channels, retained_journal, synced_commits
from benchmarks.tables import print_aims, print_figures

ROOT = Path(__file__).resolve().parent.parent

WRITES = 5000
"""Enough for sqlite3 to copy its log back into the table a few times, as it would in daily use."""

console = Console(width=150 if not sys.stdout.isatty() else None)


def main(
    keys: Annotated[list[int] | None, typer.Option(help="Sizes of the stores; may be given several times. [1000, 10000, 100000]")] = None,
    rounds: Annotated[int, typer.Option(help="Samples of each figure.", min=1)] = 5,
    folder: Annotated[Path | None, typer.Option(help="Where the stores are made; its disk is measured. [the temporary folder]")] = None,
    results: Annotated[Path, typer.Option(help="Where the JSON file goes.")] = ROOT / "benchmarks" / "results",
) -> None:
    """Measure, print the tables and the aims, and write all samples as JSON."""
    sizes = sorted(keys or [1_000, 10_000, 100_000])
    for module in MISSING:
        console.print(f"{module} is not installed and left out; pip install .[bench] brings it")
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "machine": _machine(), "rounds": rounds, "sizes": {}}
    with tempfile.TemporaryDirectory(dir=folder, prefix="mooring-bench-") as place:
        for size in sizes:
            figures, facts = _measure_size(Path(place) / str(size), size, rounds)
            if size == sizes[-1]:
                _measure_mooring(Path(place) / "scenarios", figures, min(1000, size), size, rounds)
            print_figures(console, figures, facts, size)
            report["sizes"][size] = {"seconds": _samples(figures), "stores": facts}
    aims = list(aims_of(figures, min(1000, sizes[-1]), sizes[-1]))
    print_aims(console, aims, f"Aims at {sizes[-1]:,} keys")
    report["aims"] = [{"aim": aim.text, "ratio": aim.ratio, "bound": aim.bound, "met": aim.met} for aim in aims]
    results.mkdir(parents=True, exist_ok=True)
    written = results / f"storage-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    written.write_text(json.dumps(report, indent=1))
    console.print(f"all samples: {written}")


def _measure_size(place: Path, size: int, rounds: int) -> tuple[Figures, dict[str, dict[str, Any]]]:
    figures: Figures = {}
    facts: dict[str, dict[str, Any]] = {}
    values = {make_key(number): make_value(number) for number in range(size)}
    folders = {contender.name: place / f"store {number}" for number, contender in enumerate(CONTENDERS)}
    for contender in CONTENDERS:
        console.print(f"[dim]{size:,} keys: filling {contender.name}[/dim]")
        folders[contender.name].mkdir(parents=True)
        with contender.open(folders[contender.name]) as session:
            session.bulk(values)
        length, occupied = bytes_on_disk(folders[contender.name])
        facts[contender.name] = {"survives": contender.survives, "bytes": length, "disk": occupied}
    facts["shelve"]["module"] = dbm_name(folders["shelve"])
    _measure_loads(figures, facts, folders, rounds)
    with ExitStack() as stack:
        sessions = {contender.name: stack.enter_context(contender.open(folders[contender.name])) for contender in CONTENDERS}
        sessions[PLAIN_DICT.name].bulk(values)
        for number in range(rounds):
            console.print(f"[dim]{size:,} keys: round {number + 1} of {rounds}[/dim]")
            for contender in shuffled(CONTENDERS, number):
                _measure_operations(figures, contender, sessions[contender.name], size, number)
    return figures, facts


def _measure_loads(figures: Figures, facts: dict[str, dict[str, Any]], folders: dict[str, Path], rounds: int) -> None:
    names = [name for name in folders if name != PLAIN_DICT.name] + [MSGSPEC]
    for number in range(rounds):
        for name in shuffled(names, number):
            seconds = figures.get("cold load", {}).get(name)
            if seconds and seconds.median > 3:
                continue  # one sample of fifteen seconds says enough
            command = [sys.executable, str(ROOT / "benchmarks" / "cold_load.py"), name, str(folders[MOORING.name if name == MSGSPEC else name])]
            loaded = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            note(figures, "cold load", name, loaded["read_all" if name not in folders or "Mooring" not in name else "open"])
            note(figures, "cold load, all values read", name, loaded["read_all"])
            facts.setdefault(name, {})["memory"] = loaded["memory"]


def _measure_operations(figures: Figures, contender: Contender, session: Session, size: int, number: int) -> None:
    mapping = session.mapping
    news = iter(range(size + number * 10 * WRITES, size + (number + 1) * 10 * WRITES))
    fresh = [(make_key(next(news)), make_value(index)) for index in range(WRITES)]
    tens = [[(make_key(next(news)), make_value(index)) for index in range(10)] for _ in range(WRITES // 10)]
    # Other values in each round: sqlite3 writes nothing for a value that is there already.
    changed = (number + 1) * 1_000_000
    known = [(make_key(index * 7919 % size), make_value(index + changed)) for index in range(WRITES)]
    newer = {key: make_value(index - changed) for index, (key, _) in enumerate(known[:1000])}
    hot = [key for key, _ in known[:100]]

    def set_each(pairs: Any) -> None:
        for key, value in pairs:
            mapping[key] = value

    def get_each(names: Any) -> None:
        for key in names:
            mapping[key]

    def delete_each(names: Any) -> None:
        for key in names:
            del mapping[key]

    def commit_each(transactions: Any) -> None:
        for pairs in transactions:
            session.transaction(pairs)

    def update_each(updates: Any) -> None:
        for values in updates:
            session.bulk(values)

    seconds, added = per_operation(set_each, fresh)
    note(figures, "single set", contender.name, seconds)
    seconds, committed = per_operation(commit_each, tens)
    note(figures, "set, 10 in a transaction", contender.name, seconds / 10)
    note(figures, "overwrite", contender.name, per_operation(set_each, known)[0])
    get_each(hot)
    # So short that one interruption by another process would be most of it: the best of a few.
    note(figures, "hot get", contender.name, min(per_operation(get_each, hot * 100)[0] for _ in range(5)))
    gone = [key for key, _ in fresh[:added]] + [key for pairs in tens[:committed] for key, _ in pairs]
    note(figures, "delete", contender.name, per_operation(delete_each, gone)[0])
    note(figures, "bulk update", contender.name, per_operation(update_each, [newer])[0] / len(newer))


def _measure_mooring(place: Path, figures: Figures, small: int, large: int, rounds: int) -> None:
    place.mkdir()
    for number in range(rounds):
        console.print(f"[dim]commits, channels and checkpoints: round {number + 1} of {rounds}[/dim]")
        synced_commits(place / f"synced {number}", figures)
        many_channels(place / f"channels {number}", figures)
        retained_journal(place / f"retained {number}", figures)
        cost_at_sizes(place / f"sizes {number}", figures, small, large)


def _samples(figures: Figures) -> dict[str, dict[str, list[float]]]:
    return {operation: {name: figure.samples for name, figure in by_name.items()} for operation, by_name in figures.items()}


def _machine() -> dict[str, Any]:
    return {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
