"""The checker finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.shared.serialisability import Sent, faults, faults_together

ADD = Sent("a", "/add 1", 0, 1)
AGAIN = Sent("b", "/add 1", 2, 3)
PUT = Sent("p", "/put ann 5", 4, 5)
MOVE = Sent("m", "/move ann bob 5", 6, 7)


def test_a_good_record() -> None:
    replies = {1: ("a", "total 1"), 2: ("b", "total 2"), 3: ("p", "ann was None"), 4: ("m", "ann 0, bob 5")}
    assert faults([ADD, AGAIN, PUT, MOVE], replies) == []
    assert faults([ADD, Sent("b", "/add 1", 2, None)], {1: ("a", "total 1")}) == []
    assert faults([ADD, Sent("m", "/move ann bob 5", 2, 3, ok=False)], {1: ("a", "total 1")}) == []


@pytest.mark.parametrize(
    ("replies", "fault"),
    [
        ({1: ("a", "total 1"), 2: ("b", "total 1")}, "total 1' instead of 'total 2"),
        ({1: ("a", "total 1"), 2: ("a", "total 2"), 3: ("b", "total 3")}, "a was answered 2 times"),
        ({1: ("a", "total 1")}, "b was acknowledged and never answered"),
        ({1: ("b", "total 1"), 2: ("a", "total 2")}, "began when it was acknowledged already"),
        ({1: ("a", "total 1"), 2: ("b", "total 2"), 3: ("x", "total 3")}, "nobody sent"),
    ],
)
def test_a_bad_one(replies: dict[int, tuple[str, str]], fault: str) -> None:
    assert fault in "\n".join(faults([ADD, AGAIN], replies))


def test_a_refusal_that_was_answered() -> None:
    assert faults([Sent("a", "/add 1", 0, 1, ok=False)], {1: ("a", "total 1")}) == ["a was refused, and answered all the same"]


def test_what_channels_have_together() -> None:
    good = [("/share 3", "shared 3, 3 from here"), ("/share 2", "shared 5, 2 from here"), ("/add 1", "total 1")]
    assert faults_together(good) == []
    assert faults_together([*good, ("/share 2", "shared 5, 4 from here")]) == ["2 was added to 5, and that made 5"]
    assert faults_together([good[1]]) == ["2 was added to 0, and that made 5"]
