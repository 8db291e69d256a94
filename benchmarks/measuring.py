"""How the storage benchmark takes time: interleaved rounds, slow operations bounded, medians with their spread."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

BUDGET_SECONDS = 0.4
"""A contender that needs longer for one measurement stops early; the figure is per operation all the same."""


@dataclass
class Figure:
    """One operation of one contender: seconds per operation, one sample a round."""

    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Half the distance from the least to the most, as a part of the median."""
        return (max(self.samples) - min(self.samples)) / 2 / self.median


Figures = dict[str, dict[str, Figure]]
"""Operation -> contender -> figure."""


def note(figures: Figures, operation: str, name: str, seconds: float) -> None:
    """Add one sample."""
    figures.setdefault(operation, {}).setdefault(name, Figure()).samples.append(seconds)


def per_operation(action: Callable[[Sequence[Any]], None], work: Sequence[Any]) -> tuple[float, int]:
    """Seconds per item, and how many items were done before the budget ran out.

    `action` loops over a slice itself, so that the clock is read a few times and not once per item.
    """
    done, spent, step = 0, 0.0, 1
    while done < len(work) and spent < BUDGET_SECONDS:
        part = work[done : done + step]
        start = time.perf_counter()
        action(part)
        spent += time.perf_counter() - start
        done += len(part)
        # The first steps are small in case the operation is slow, the last one takes all that is left.
        step = len(work) if spent < BUDGET_SECONDS / 100 and step > 16 else step * 2
    return spent / done, done


def shuffled(items: Sequence[Any], seed: int) -> Iterator[Any]:
    """In another order each round, so that nobody always runs after the same neighbour."""
    return iter(random.Random(seed).sample(items, len(items)))
