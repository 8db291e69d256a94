"""What would undo some of the changes that are told of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from storage import MoobiusStorage
from storage.json.changes_back import changes_back
from storage.json.past import PastChange, kept_since, past


def change(member: str, key: str, old: str | None, new: str | None, *, known: bool = True) -> PastChange:
    old_text, new_text = (None if text is None else text.encode() for text in (old, new))
    return PastChange(1.0, 1, member, "", "", "bars", key, old_text, known, new_text)


def is_bobs(one: PastChange) -> bool:
    return one.member == "bob"


def test_several_changes_come_back_to_what_was_before_the_first() -> None:
    (back,) = changes_back([change("bob", "x", None, "1"), change("bob", "x", "1", "2")], is_bobs)
    assert (back.then, back.now, back.later) == (None, b"2", None)


def test_what_others_did_afterwards_is_in_the_way_also_between_two_of_his() -> None:
    hers = change("ann", "x", "1", "2")
    (back,) = changes_back([change("bob", "x", "0", "1"), hers, change("bob", "x", "2", "3")], is_bobs)
    assert (back.then, back.now, back.later) == (b"0", b"3", hers)


def test_what_others_did_before_is_not() -> None:
    (back,) = changes_back([change("ann", "x", "0", "1"), change("bob", "x", "1", "2")], is_bobs)
    assert (back.then, back.later) == (b"1", None)


def test_what_comes_to_nothing_is_left_out_and_what_is_not_known_is_said() -> None:
    changes = [change("bob", "x", "0", "1"), change("bob", "x", "1", "0"), change("bob", "y", None, "1", known=False)]
    (back,) = changes_back(changes, is_bobs)
    assert (back.key, back.is_known) == ("y", False)


@settings(max_examples=100, deadline=None)
@given(some.lists(some.tuples(some.sampled_from("abc"), some.one_of(some.none(), some.integers(0, 3)))), some.integers(0, 12))
def test_undoing_everything_after_some_changes_gives_what_they_gave(steps: list[tuple[str, int | None]], first: int) -> None:
    states, changes, state = [dict[str, str]()], [], dict[str, str]()
    for number, (key, value) in enumerate(steps):
        new = None if value is None else str(value)
        changes.append(PastChange(float(number), number + 1, "", "", "", "bars", key, _encoded(state.get(key)), True, _encoded(new)))
        if new is None:
            state.pop(key, None)
        else:
            state[key] = new
        states.append(dict(state))
    first = min(first, len(steps))
    undone = {key: value.encode() for key, value in state.items()}
    for back in changes_back(changes, lambda one: one.at >= first):
        assert undone.get(back.key) == back.now
        if back.then is None:
            undone.pop(back.key, None)
        else:
            undone[back.key] = bytes(back.then)
    assert undone == {key: value.encode() for key, value in states[first].items()}


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


@pytest.mark.parametrize("is_cut", [False, True])
def test_how_far_back_one_knows(tmp_path: Path, is_cut: bool) -> None:
    for _ in range(3):
        with MoobiusStorage("1", "tavern", {"implementation": "json", "name": "bars", "settings": {"root_dir": str(tmp_path)}}) as storage:
            with storage.transaction():
                storage.bars["ann"] = 1
            with storage.transaction():
                storage.bars["ann"] = 2
    if is_cut:
        min((tmp_path / "retained").iterdir()).unlink()
    since = kept_since(tmp_path)
    first = next(past(tmp_path, lambda domain: True))
    assert since == (first.at if is_cut else None)


def test_of_an_empty_folder_nothing_is_known(tmp_path: Path) -> None:
    assert kept_since(tmp_path) is None
