"""What Mooring wants to reach, as ratios within one run, and how far it got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.cold_load import MSGSPEC
from benchmarks.contenders import MOOBIUS, MOORING, PLAIN_DICT, SQLITE_FULL, SQLITE_NORMAL
from benchmarks.measuring import Figures


@dataclass(frozen=True)
class Aim:
    """`at_least` says whether the ratio has to reach the bound or to stay below it."""

    text: str
    ratio: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    @property
    def verdict(self) -> str:
        if self.met:
            return "met"
        by = self.bound / self.ratio if self.at_least else self.ratio / self.bound
        return f"missed by a factor of {by:.2f}"


def aims_of(figures: Figures, small: int, large: int) -> Iterator[Aim]:
    """Those for which both figures were measured."""
    size = f"{large:,} keys"
    commit, channels = "one synced commit of 10 changes", "synced commits, 50 channels at once"
    wanted = [
        ("single set: times as fast as sqlite3 WAL NORMAL", ("single set", SQLITE_NORMAL.name), ("single set", MOORING.name), 3, True),
        ("single set: times as fast as moobius", ("single set", MOOBIUS.name), ("single set", MOORING.name), 10, True),
        ("synced commit of 10: times a bare append with fdatasync", (commit, "commit of 10"), (commit, "append and fdatasync"), 1.4, False),
        ("50 channels: times the synced commits of sqlite3 WAL FULL", (channels, SQLITE_FULL.name), (channels, MOORING.name), 10, True),
        ("hot get: times a plain dict's", ("hot get", MOORING.name), ("hot get", PLAIN_DICT.name), 8, False),
        ("hot get: times moobius's", ("hot get", MOORING.name), ("hot get", MOOBIUS.name), 1, False),
        ("cold load: times as fast as moobius", ("cold load", MOOBIUS.name), ("cold load", MOORING.name), 50, True),
        ("cold load: times msgspec decoding the same bytes", ("cold load", MOORING.name), ("cold load", MSGSPEC), 2, False),
        (
            "cold load and every value read: times msgspec decoding",
            ("cold load, all values read", MOORING.name),
            ("cold load, all values read", MSGSPEC),
            2,
            False,
        ),
        (
            f"set at {size}: times the cost at {small:,}, checkpoints included",
            (f"set, checkpoints included, {size}", "Mooring"),
            (f"set, checkpoints included, {small:,} keys", "Mooring"),
            1.3,
            False,
        ),
    ]
    transaction = "transaction, checkpoints and close included"
    wanted.append(("a retained journal: times the processor time without", (transaction, "retained"), (transaction, "not retained"), 1.1, False))
    for text, (above, above_name), (below, below_name), bound, at_least in wanted:
        upper, lower = figures.get(above, {}).get(above_name), figures.get(below, {}).get(below_name)
        if upper and lower and upper is not lower:
            yield Aim(text, upper.median / lower.median, bound, at_least)
