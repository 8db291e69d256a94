"""Parts of a transaction that are undone alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from storage import MoobiusStorage, StorageError, ValueRefused, register
from tests.storage.homes_for_tests import HOMES, make_home


class Undo(Exception):
    pass


@register
@dataclass
class Sheet:
    name: str
    items: list[str] = field(default_factory=list)


@pytest.fixture(params=[f"{kind}{mode}" for kind in HOMES for mode in ("", " not loaded")])
def storage(request: pytest.FixtureRequest, tmp_path: Path, redis_port: int) -> Iterator[MoobiusStorage]:
    kind, _, mode = str(request.param).partition(" ")
    home = make_home(kind, tmp_path, redis_port)
    with MoobiusStorage("1", "tavern") as storage:
        storage.put("gold", home("gold"), load=not mode)
        storage.put("notes", home("notes"), load=not mode)
        storage.gold.update(ann=10, bob=0)
        storage.notes.update(log=["start"], deep={"a": [1], "b": {"c": {2}}}, pair=([1], {}), sheet=Sheet("ann", ["sword"]))
        yield storage


def whole(storage: MoobiusStorage) -> list[dict[str, Any]]:
    return [storage.gold.copy(), storage.notes.copy()]


def delete_and_set_again(storage: MoobiusStorage) -> None:
    storage.gold.pop("ann")
    storage.gold["ann"] = 3


def pop_items(storage: MoobiusStorage) -> None:
    storage.gold.popitem()
    storage.gold.popitem()
    storage.gold["late"] = 1


def clear(storage: MoobiusStorage) -> None:
    storage.gold.clear()
    storage.notes.clear()


def change_deep_inside(storage: MoobiusStorage) -> None:
    deep = storage.notes["deep"]
    deep["a"].append(2)
    deep["b"]["c"].add(3)
    deep["b"]["d"] = []


def change_a_dataclass(storage: MoobiusStorage) -> None:
    sheet = storage.notes["sheet"]
    sheet.name = "eve"
    sheet.items.clear()


def commit_inside(storage: MoobiusStorage) -> None:
    storage.notes["log"].append(1)
    storage.commit()
    storage.notes.save("log")


CHANGES: dict[str, Callable[[MoobiusStorage], object]] = {
    "set": lambda s: s.gold.__ior__({"ann": 1, "new": 2}),
    "delete": lambda s: s.gold.pop("ann"),
    "delete and set again": delete_and_set_again,
    "popitem": pop_items,
    "clear": clear,
    "append": lambda s: s.notes["log"].append("more"),
    "deep": change_deep_inside,
    "replace inside": lambda s: s.notes["deep"].update(a={}, b=None),
    "in a tuple": lambda s: s.notes["pair"][0].append(2),
    "dataclass": change_a_dataclass,
    "replace a value": lambda s: s.notes.__ior__({"log": ["other"], "deep": 1}),
    "setdefault": lambda s: s.notes.setdefault("made", []).append(1),
    "commit inside": commit_inside,
    "nothing": lambda s: None,
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("touched", [False, True])
def test_everything_is_undone_and_the_rest_is_kept(storage: MoobiusStorage, name: str, touched: bool) -> None:
    with storage.transaction():
        storage.gold["bob"] = 5
        if touched:  # everything was handed out before, and some of it changed
            storage.notes["log"].append("before")
            storage.notes["deep"]["a"].append("before")
            list(storage.notes.values())
        before = whole(storage)
        with pytest.raises(Undo), storage.savepoint():
            CHANGES[name](storage)
            raise Undo
        assert whole(storage) == before
        assert [list(each) for each in whole(storage)] == [list(each) for each in before]
        assert (list(reversed(storage.gold)), len(storage.gold)) == (list(reversed(before[0])), len(before[0]))
        storage.gold["after"] = 1
    before[0]["after"] = 1
    assert whole(storage) == before
    storage.gold.load()
    storage.notes.load()
    assert whole(storage) == before


@pytest.mark.parametrize("name", CHANGES)
def test_what_ends_well_stays(storage: MoobiusStorage, name: str) -> None:
    with storage.transaction():
        CHANGES[name](storage)
        expected = whole(storage)
        with pytest.raises(Undo), storage.savepoint():
            storage.gold.clear()
            storage.notes.clear()
            raise Undo
    first = whole(storage)
    assert first == expected


def test_it_is_the_same_objects_with_their_old_content(storage: MoobiusStorage) -> None:
    with storage.transaction():
        log, deep, sheet, pair = (storage.notes[key] for key in ("log", "deep", "sheet", "pair"))
        inner, innermost, items = deep["a"], deep["b"]["c"], sheet.items
        log.append("before")
        with pytest.raises(Undo), storage.savepoint():
            log.clear()
            deep.clear()
            inner.append("x")
            innermost.clear()
            sheet.items = ["stolen"]
            items.append("lost")
            pair[1]["x"] = 1
            storage.notes["log"] = ["another"]
            del storage.notes["deep"]
            raise Undo
        assert log == ["start", "before"]
        assert deep == {"a": [1], "b": {"c": {2}}}
        assert deep["a"] is inner
        assert deep["b"]["c"] is innermost
        assert sheet.items is items == ["sword"]
        assert pair == ([1], {})
        assert storage.notes["log"] is log
        assert storage.notes["deep"] is deep
        log.append("after")
        inner.append("after")
        items.append("shield")
    assert storage.notes["log"] == ["start", "before", "after"]
    assert storage.notes["deep"]["a"] == [1, "after"]
    assert storage.notes["sheet"] == Sheet("ann", ["sword", "shield"])


def test_they_nest(storage: MoobiusStorage) -> None:
    with storage.transaction():
        with suppress(Undo), storage.savepoint():
            storage.gold["ann"] = 1
            log = storage.notes["log"]
            log.append("outer")
            with suppress(Undo), storage.savepoint():
                storage.gold["ann"] = 2
                log.append("inner")
                raise Undo
            assert storage.gold["ann"] == 1
            assert log == ["start", "outer"]
            with storage.savepoint():
                storage.gold["bob"] = 3
            with storage.transaction():
                storage.gold["cid"] = 4
            assert storage.gold == {"ann": 1, "bob": 3, "cid": 4}
            raise Undo
        assert storage.gold == {"ann": 10, "bob": 0}
        assert storage.notes["log"] == ["start"]
        storage.gold["bob"] = 1
    assert storage.gold == {"ann": 10, "bob": 1}


def read_and_replace(storage: MoobiusStorage) -> Any:
    log = storage.notes["log"]
    storage.notes["log"] = 1
    return log


LATE: dict[str, Callable[[MoobiusStorage], Any]] = {
    "read inside": lambda s: s.notes["log"],
    "made inside": lambda s: s.notes.setdefault("made", []),
    "put into a value": lambda s: s.notes["deep"].setdefault("new", []),
    "read and then replaced": read_and_replace,
    "taken out": lambda s: s.notes.pop("log"),
    "deep inside": lambda s: s.notes["pair"][0],
}


@pytest.mark.parametrize("name", LATE)
def test_an_object_of_the_undone_part_that_is_changed_later_is_refused(storage: MoobiusStorage, name: str) -> None:
    before = whole(storage)
    with pytest.raises(ValueRefused, match="undone"), storage.transaction():
        storage.gold["ann"] = 1
        if name == "put into a value":
            assert storage.notes["deep"]
        with suppress(Undo), storage.savepoint():
            late = LATE[name](storage)
            raise Undo
        late.append("late")
    assert whole(storage) == before


@pytest.mark.parametrize("name", LATE)
def test_one_that_is_left_alone_does_no_harm(storage: MoobiusStorage, name: str) -> None:
    with storage.transaction():
        with suppress(Undo), storage.savepoint():
            late = LATE[name](storage)
            late.append("inside")
            raise Undo
        storage.notes["log"].append("after")
        storage.gold["ann"] = 1
    assert storage.gold["ann"] == 1
    assert storage.notes["log"] == ["start", "after"]
    assert "made" not in storage.notes


def test_what_was_taken_out_before_may_be_used_further(storage: MoobiusStorage) -> None:
    with storage.transaction():
        log = storage.notes.pop("log")
        with suppress(Undo), storage.savepoint():
            storage.gold.clear()
            raise Undo
        log.append("moved")
        storage.notes["moved"] = log
    assert storage.notes["moved"] == ["start", "moved"]


async def test_in_tasks_and_threads(storage: MoobiusStorage) -> None:
    def in_thread() -> None:
        with suppress(Undo), storage.savepoint():
            storage.gold["ann"] = 1
            storage.notes["log"].append("thread")
            raise Undo
        with storage.savepoint():
            storage.gold["bob"] = 1

    async with storage.transaction(overlap=True) as transaction:
        log = storage.notes["log"]
        with suppress(Undo), storage.savepoint():
            storage.gold["ann"] = 5
            await asyncio.sleep(0)
            log.append("task")
            raise Undo
        await asyncio.to_thread(in_thread)
        assert storage.gold == {"ann": 10, "bob": 1}
        assert log == ["start"]
    assert transaction.outcome is not None
    await transaction.outcome
    assert storage.gold == {"ann": 10, "bob": 1}


async def test_on_what_is_in_flight(storage: MoobiusStorage) -> None:
    async with storage.transaction(overlap=True):
        storage.gold["new"] = 1
        storage.notes["log"].append("first")
    async with storage.transaction(overlap=True) as transaction:
        with suppress(Undo), storage.savepoint():
            del storage.gold["new"]
            storage.notes["log"].append("second")
            raise Undo
        assert storage.gold == {"ann": 10, "bob": 0, "new": 1}
        assert storage.notes["log"] == ["start", "first"]
        storage.gold["bob"] = 2
    assert transaction.outcome is not None
    await transaction.outcome
    assert storage.gold == {"ann": 10, "bob": 2, "new": 1}


def test_outside_of_transactions_there_is_nothing_to_undo(storage: MoobiusStorage) -> None:
    with pytest.raises(StorageError, match="open transaction"), storage.savepoint():
        pass


def test_nothing_is_written_for_what_was_undone(storage: MoobiusStorage) -> None:
    with storage.transaction() as transaction:
        with suppress(Undo), storage.savepoint():
            storage.gold["ann"] = 5
            storage.notes["log"].append("x")
            raise Undo
        overlays = list(transaction.overlays.values())
    assert [overlay.gathered for overlay in overlays] == [[], []]
