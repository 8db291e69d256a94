"""The storage benchmark's figures as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.aims import Aim
from benchmarks.contenders import CONTENDERS
from benchmarks.measuring import Figures

OPERATIONS = ["single set", "set, 10 in a transaction", "overwrite", "hot get", "delete", "bulk update"]
LOADS = ["cold load", "cold load, all values read"]


def print_figures(console: Console, figures: Figures, facts: dict[str, dict[str, Any]], size: int) -> None:
    """One table of operations, one of cold loads and sizes."""
    table = Table(title=f"{size:,} keys: microseconds per operation, median and half the distance from the least to the most")
    table.add_column("")
    for column in ["a set survives", *OPERATIONS]:
        table.add_column(column, justify="right")
    for contender in CONTENDERS:
        cells = [_cell(figures, operation, contender.name, 1e6) for operation in OPERATIONS]
        table.add_row(contender.name, contender.survives, *cells)
    console.print(table)
    loads = Table(title=f"{size:,} keys: a cold store in a fresh process, milliseconds; and what the store takes")
    for column in ["", *LOADS, "memory", "length of files", "space on disk"]:
        loads.add_column(column, justify="right" if column else "left")
    for name in figures["cold load"]:
        cells = [_cell(figures, load, name, 1e3) for load in LOADS]
        loads.add_row(name, *cells, *(_megabytes(facts[name].get(fact)) for fact in ("memory", "bytes", "disk")))
    console.print(loads)


def _cell(figures: Figures, operation: str, name: str, unit: float) -> str:
    figure = figures[operation][name]
    return f"{_digits(figure.median * unit)} ±{figure.spread:.0%}"


def _digits(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:,.0f}"


def _megabytes(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.1f} MB"


def print_aims(console: Console, aims: list[Aim], title: str) -> None:
    """Each aim with what was reached."""
    table = Table(title=title)
    for column in ("aim", "ratio", "bound", "verdict"):
        table.add_column(column, justify="left" if column == "aim" else "right")
    for aim in aims:
        bound = f"at {'least' if aim.at_least else 'most'} {aim.bound:g}"
        table.add_row(aim.text, f"{aim.ratio:.2f}", bound, aim.verdict, style="green" if aim.met else "red")
    console.print(table)
