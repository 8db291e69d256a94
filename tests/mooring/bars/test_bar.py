"""A bar holds 0..maximum, whatever is done to it and however the clock goes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mooring import Bar
from mooring.clock import use_clock
from storage.encoding import codec


class Hand:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


def test_take_is_all_or_nothing() -> None:
    bar = Bar(30, 100)
    assert not bar.take(31)
    assert bar.value == 30
    assert bar.take(30)
    assert bar.empty
    assert bar.take(0)


def test_lose_and_give_tell_what_they_did() -> None:
    bar = Bar(30, 100)
    change = bar.lose(50)
    assert (change.before, change.after, change.amount, change.emptied) == (30, 0, -30, True)
    assert not bar.lose(1).emptied
    change = bar.give(10**100)
    assert (change.amount, change.filled, bar.full) == (100, True, True)
    assert not bar.give(1).filled


def test_milestones() -> None:
    bar = Bar(100, 100)
    assert bar.lose(50).passed(50) is False
    assert bar.lose(1).passed(50) is True
    assert bar.lose(1).passed(50) is False
    assert bar.give(10).passed(50) is True


def test_the_maximum_moves() -> None:
    bar = Bar(80, 100)
    assert bar.set_maximum(50).after == 50
    assert bar.set_maximum(200).after == 50
    assert (bar.value, bar.maximum) == (50, 200)
    assert bar.set_maximum(0).emptied


@pytest.mark.parametrize("method", ["take", "lose", "give", "set_maximum"])
def test_amounts_are_whole_and_not_negative(method: str) -> None:
    bar = Bar(50, 100)
    with pytest.raises(ValueError, match="below zero"):
        getattr(bar, method)(-1)
    for wrong in (1.5, "1", True, None):
        with pytest.raises(TypeError, match="whole"):
            getattr(bar, method)(wrong)
    assert bar == Bar(50, 100)


def test_a_bar_regains_without_a_timer() -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(0, 100, regain_per_minute=2)
        hand.time += 29
        assert bar.value == 0
        hand.time += 1
        assert bar.value == 1
        hand.time += 3600
        assert bar.full


def test_time_while_full_does_not_count() -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(100, 100, regain_per_minute=1)
        hand.time += 3600
        bar.lose(10)
        assert bar.value == 90
        hand.time += 60
        assert bar.value == 91


def test_reading_changes_nothing() -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(0, 100, regain_per_minute=1)
        before = codec.encode(bar)
        hand.time += 90
        assert bar.value == 1
        assert codec.encode(bar) == before


def test_a_clock_set_back_neither_takes_nor_gives_twice() -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(0, 100, regain_per_minute=1)
        hand.time += 300
        bar.give(1)
        assert bar.value == 6
        hand.time -= 3600
        assert bar.value == 6
        bar.lose(1)
        assert bar.value == 5
        hand.time += 60
        assert bar.value == 6


def test_a_damaged_bar_reads_within_its_bounds() -> None:
    bar = Bar(50, 100)
    bar.level = 900
    assert bar.value == 100
    bar.level = -5
    assert bar.value == 0
    assert bar.give(1).after == 1


def test_a_stored_bar_is_the_same_bar() -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(10, 100, regain_per_minute=0.125)
        hand.time += 1000.5
        bar.lose(1)
        assert codec.decode(codec.encode(bar)) == bar


@pytest.mark.parametrize("rate", [-1, 0.0001])
def test_rates_that_are_not_kept_exactly_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="regain_per_minute"):
        Bar(1, 1, regain_per_minute=rate)


@given(
    rate=st.integers(1, 5000),
    steps=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 3)), max_size=30),
)
def test_many_small_steps_regain_what_one_large_one_would(rate: int, steps: list[tuple[int, int]]) -> None:
    """Points are exact, not rounded anew at each touch."""
    hand = Hand()
    with use_clock(hand):
        begun = int(hand.time * 1000)
        bar = Bar(0, 10**9, regain_per_minute=rate / 1000)
        taken = elapsed = 0
        for milliseconds, points in steps:
            elapsed += milliseconds
            hand.time = (begun + elapsed) / 1000
            taken += -bar.lose(points).amount
        assert bar.value + taken == Fraction(rate * elapsed, 60_000_000).__floor__()


@given(st.lists(st.tuples(st.sampled_from(["take", "lose", "give", "value", "set_maximum", "clock"]), st.integers(-(10**30), 10**30)), max_size=40))
def test_whatever_happens_it_stays_within_its_bounds(steps: list[tuple[str, int]]) -> None:
    hand = Hand()
    with use_clock(hand):
        bar = Bar(5, 10, regain_per_minute=3)
        for step, number in steps:
            if step == "clock":
                hand.time = max(0.0, hand.time + number % 10_000_000 - 5_000_000)
            elif step == "value":
                bar.value = number
            else:
                getattr(bar, step)(abs(number))
            assert 0 <= bar.value <= bar.maximum
            assert 0 <= bar.level <= bar.maximum
