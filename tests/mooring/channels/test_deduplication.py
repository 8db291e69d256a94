"""The once-only window keeps what it must, drops what it may, and survives a restart."""

from typing import Any

from mooring.channels.deduplication import Deduplicator
from mooring.events import Acknowledgement


def make(stored: dict[str, Any], *, window: float = 100.0, limit: int = 10, per_member: int = 100) -> Deduplicator:
    return Deduplicator(stored, window=window, limit=limit, per_member=per_member)


def keep(handled: Deduplicator, member: str, request: str, now: float = 0.0, **answer: Any) -> None:
    handled.accept(handled.keep(member, Acknowledgement(request, **answer), now))


def test_a_new_event_is_not_known() -> None:
    assert make({}).find("ann", "1") is None


def test_an_event_is_answered_as_it_was_the_first_time() -> None:
    stored: dict[str, Any] = {}
    keep(make(stored), "ann", "1", ok=False, message="no")
    assert make(stored).find("ann", "1") == Acknowledgement("1", ok=False, message="no", repeated=True)


def test_ids_of_different_members_are_different_events() -> None:
    handled = make({})
    keep(handled, "ann", "1")
    assert handled.find("bob", "1") is None


def test_colons_in_ids_do_not_make_two_events_one() -> None:
    handled = make({})
    keep(handled, "a:b", "c")
    assert handled.find("a", "b:c") is None
    keep(handled, "a%3Ab", "x")
    assert handled.find("a:b", "x") is None


def test_the_oldest_goes_when_there_are_too_many() -> None:
    stored: dict[str, Any] = {}
    handled = make(stored, limit=3)
    for number in range(5):
        keep(handled, "ann", str(number), now=float(number))
    assert [handled.find("ann", str(number)) is not None for number in range(5)] == [False, False, True, True, True]
    assert len(stored) == 3


def test_a_window_that_was_made_smaller_shrinks_as_events_come() -> None:
    stored: dict[str, Any] = {}
    wide = make(stored, limit=100)
    for number in range(20):
        keep(wide, "ann", str(number), now=float(number))
    narrow = make(stored, limit=5)
    for number in range(20, 30):
        keep(narrow, "ann", str(number), now=float(number))
    assert len(stored) == 5
    assert narrow.find("ann", "29") is not None


def test_events_that_are_too_old_go_even_if_there_are_few() -> None:
    stored: dict[str, Any] = {}
    handled = make(stored, window=100.0)
    keep(handled, "ann", "old", now=0.0)
    keep(handled, "ann", "young", now=90.0)
    keep(handled, "ann", "now", now=150.0)
    assert set(stored) == {"ann:young", "ann:now"}


def test_order_is_by_time_also_when_the_engine_gives_another_order() -> None:
    stored: dict[str, Any] = {"ann:new": [9.0, True, ""], "ann:old": [1.0, True, ""]}
    handled = make(stored, limit=2)
    keep(handled, "ann", "newest", now=10.0)
    assert set(stored) == {"ann:new", "ann:newest"}


def test_what_was_rolled_back_is_forgotten_and_drops_nothing() -> None:
    stored: dict[str, Any] = {}
    handled = make(stored, limit=1)
    keep(handled, "ann", "first", now=1.0)
    before = dict(stored)
    handled.keep("ann", Acknowledgement("second"), 2.0)
    stored.clear()
    stored.update(before)  # what the transaction does at a rollback; `accept` is not called
    keep(handled, "ann", "third", now=3.0)
    assert set(stored) == {"ann:third"}


def test_a_flood_pushes_out_nobody_elses_events() -> None:
    stored: dict[str, Any] = {}
    handled = make(stored, limit=50, per_member=30)
    for member in ("ann", "bob", "cleo"):
        keep(handled, member, "mine")
    for number in range(500):
        for flooder in ("eve", "mallory"):
            keep(handled, flooder, str(number), now=1.0)
    assert all(handled.find(member, "mine") is not None for member in ("ann", "bob", "cleo"))
    assert handled.find("eve", "499") is not None
    assert len(stored) <= 50
    again = make(stored, limit=50, per_member=30)
    assert all(again.find(member, "mine") is not None for member in ("ann", "bob", "cleo"))


def test_many_members_have_room_for_the_newest_of_each() -> None:
    stored: dict[str, Any] = {}
    handled = make(stored, limit=40, per_member=30)
    for round_ in range(20):
        for member in range(30):
            keep(handled, f"m{member}", str(round_), now=float(round_))
    assert all(handled.find(f"m{member}", "19") is not None for member in range(30))
    assert len(stored) <= 40
