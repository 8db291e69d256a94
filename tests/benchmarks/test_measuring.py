"""The benchmark's own arithmetic: what it counts, when it stops, and which aims it calls met."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from benchmarks.aims import Aim, aims_of
from benchmarks.contenders import MOORING, SQLITE_NORMAL
from benchmarks.measuring import BUDGET_SECONDS, Figures, note, per_operation, shuffled


def test_every_item_is_done_once_and_in_order() -> None:
    seen: list[int] = []
    seconds, done = per_operation(seen.extend, range(1000))
    assert seen == list(range(1000))
    assert done == 1000
    assert seconds > 0


def test_a_slow_operation_stops_when_the_budget_is_spent() -> None:
    seen: list[int] = []

    def slow(part: Sequence[int]) -> None:
        time.sleep(BUDGET_SECONDS * len(part) / 4)
        seen.extend(part)

    seconds, done = per_operation(slow, range(1000))
    assert 4 <= done == len(seen) < 20
    assert seconds >= BUDGET_SECONDS / 4


def test_figures_tell_the_median_and_the_spread() -> None:
    figures: Figures = {}
    for seconds in (1.0, 4.0, 2.0):
        note(figures, "single set", "somebody", seconds)
    figure = figures["single set"]["somebody"]
    assert figure.median == 2.0
    assert figure.spread == 0.75


def test_contenders_change_places_between_rounds_and_nobody_is_left_out() -> None:
    orders = [list(shuffled("abcdef", number)) for number in range(5)]
    assert len({tuple(order) for order in orders}) > 1
    assert all(sorted(order) == list("abcdef") for order in orders)


@pytest.mark.parametrize(
    ("ratio", "at_least", "verdict"),
    [(3.0, True, "met"), (1.5, True, "missed by a factor of 2.00"), (3.0, False, "met"), (6.0, False, "missed by a factor of 2.00")],
)
def test_an_aim_says_by_how_much_it_was_missed(ratio: float, at_least: bool, verdict: str) -> None:
    assert Aim("", ratio, 3.0, at_least).verdict == verdict


def test_aims_are_judged_only_on_what_was_measured() -> None:
    figures: Figures = {}
    note(figures, "single set", MOORING.name, 5e-6)
    note(figures, "single set", SQLITE_NORMAL.name, 20e-6)
    [aim] = aims_of(figures, 1000, 100_000)
    assert aim.ratio == pytest.approx(4)
    assert aim.met
