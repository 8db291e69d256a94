"""The TorBox benchmark's figures as tables, and how far the aims are met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.torbox import Samples
    from benchmarks.torbox_contenders import Contender

OPERATIONS = ("insert", "insert_multiple of 100", "all", "search by a field", "search by item and file")


def report(contenders: Sequence[type[Contender]], sizes: Sequence[int], samples: Samples) -> None:
    """Print everything."""
    console = Console(width=160)
    medians = {operation: {name: median(values) for name, values in by_name.items()} for operation, by_name in samples.items()}
    for operation in OPERATIONS:
        table = Table(title=f"{operation}: milliseconds each, median; and times Mooring's")
        table.add_column("")
        for size in sizes:
            table.add_column(f"{size:,} records", justify="right")
        if operation == "insert":
            table.add_column("a kill -9 leaves")
        for contender in contenders:
            cells = [_cell(medians[f"{operation}, {size:,}"], contender.name) for size in sizes]
            table.add_row(contender.name, *cells, *([contender.survives] if operation == "insert" else []))
        console.print(table)
    for operation in ("update by id", "get by id", "remove by id", "insert, checkpoints included"):
        figures = ", ".join(f"{seconds * 1e6:.1f} µs at {size}" for size, seconds in medians[operation].items())
        console.print(f"{operation}: {figures}")
    console.print()
    for text, value, bound, unit in _aims(sizes, medians):
        at_least = bound < 0
        met = value >= -bound if at_least else value <= bound
        aim = f"{'at least' if at_least else 'at most'} {abs(bound):g}{unit}"
        console.print(f"{'met   ' if met else 'MISSED'}  {text}: {value:,.3g}{unit} (aim: {aim})")


def _cell(by_name: dict[str, float], name: str) -> str:
    seconds = by_name[name]
    return f"{seconds * 1e3:,.3f}  x{seconds / by_name['Mooring']:,.1f}"


def _aims(sizes: Sequence[int], medians: dict[str, dict[str, float]]) -> Iterator[tuple[str, float, float, str]]:
    """Text, figure, bound, unit; a negative bound has to be reached, a positive one not exceeded."""
    at = f"{min(10_000, sizes[-1]):,}"
    insert, first = medians[f"insert, {at}"], medians[f"insert, {sizes[0]}"]
    every, search = medians[f"all, {at}"], medians[f"search by a field, {at}"]
    caching, sqlite = "TinyDB, CachingMiddleware", "sqlite3 WAL NORMAL, JSON text"
    yield f"insert at {at} beside insert at {sizes[0]}", insert["Mooring"] / first["Mooring"], 1.3, "x"
    if sizes[-1] > 10_000:
        yield f"insert at {sizes[-1]:,} beside insert at {sizes[0]}", medians[f"insert, {sizes[-1]:,}"]["Mooring"] / first["Mooring"], 1.3, "x"
    yield f"insert at {at}: times as fast as stock TinyDB", insert["TinyDB"] / insert["Mooring"], -1000, "x"
    yield f"insert at {at}: time beside sqlite3's", insert["Mooring"] / insert[sqlite], 1, "x"
    yield f"all at {at}: time beside CachingMiddleware's", every["Mooring"] / every[caching], 1, "x"
    yield f"search by a field at {at}: time beside CachingMiddleware's", search["Mooring"] / search[caching], 1, "x"
    yield "refresh of 20,000 with 1% changed", medians["refresh of 20,000, 1% changed"]["Mooring"], 0.5, " s"
    text = next(by_name for operation, by_name in medians.items() if operation.startswith("free text"))
    yield "free text: time beside a plain scan", text["Mooring"] / text["plain scan"], 2, "x"
