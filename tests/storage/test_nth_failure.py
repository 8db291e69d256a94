"""An engine that fails on its n-th call, for every n: memory shows what the engine holds afterwards, and the next try works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.errors import StorageError
from storage.moobius_storage import MoobiusStorage
from tests.storage.homes_for_tests import FailingOnCall

START = {"ann": 1, "bob": [2], "cid": {"hp": 3}, "dan": 4}


def in_transaction(storage: MoobiusStorage) -> None:
    with storage.transaction():
        change(storage)


async def in_async_transaction(storage: MoobiusStorage) -> None:
    async with storage.transaction():
        change(storage)


def change(storage: MoobiusStorage) -> None:
    storage.bars["bob"].append(5)
    storage.bars["eve"] = 6
    storage.notes["x"] = {"seen": []}
    storage.bars.pop("ann")
    storage.bars["cid"]["hp"] -= 1
    storage.bars["ann"] = 7


def one_by_one(storage: MoobiusStorage) -> None:
    storage.bars["ann"] = 5
    storage.bars.update(bob=1, eve=2)
    storage.bars.setdefault("fay", []).append(1)
    storage.bars["cid"]["hp"] = 9
    storage.commit()
    storage.bars.save("cid")
    del storage.bars["dan"]
    storage.bars.pop("ann")
    storage.bars.popitem()
    storage.notes["x"] = 1
    storage.bars.clear()


def looks(storage: MoobiusStorage, engines: list[FailingOnCall]) -> list[dict[str, object]]:
    for each in (storage.bars, storage.notes):
        if len(each):
            list(each.values())
    assert [storage.bars.copy(), storage.notes.copy()] == [engine._kept for engine in engines]
    return [dict(engine._kept) for engine in engines]


@pytest.mark.parametrize("load", [True, False])
@pytest.mark.parametrize("work", [in_transaction, one_by_one])
def test_every_call(work: Callable[[MoobiusStorage], None], load: bool) -> None:
    failures = 0
    for number in range(1, 200):
        storage, engines = opened(load)
        engines[0].fail_on(number)
        try:
            work(storage)
        except (StorageError, KeyError):  # a read that fails cannot be told from a key that is not there
            failures += 1
        reached = engines[0].left <= 0
        engines[0].fail_on(0)
        if work is in_transaction:
            assert looks(storage, engines) in ([START, {}], [changed(), {"x": {"seen": []}}])
        storage.commit()  # changes in place that could not be saved wait for the next try
        looks(storage, engines)
        storage.close()
        if not reached:
            break
    else:
        pytest.fail("the engine is called without end")
    assert failures > 3


@pytest.mark.parametrize("load", [True, False])
async def test_every_call_of_an_awaited_commit(load: bool) -> None:
    for number in range(1, 200):
        storage, engines = opened(load)
        engines[1].fail_on(number)
        try:
            await in_async_transaction(storage)
        except StorageError:
            engines[1].fail_on(0)
            assert looks(storage, engines) == [START, {}]
            await in_async_transaction(storage)
        reached = engines[1].left <= 0
        engines[1].fail_on(0)
        assert looks(storage, engines) == [changed(), {"x": {"seen": []}}]
        storage.close()
        if not reached:
            break
    assert number > 1


def opened(load: bool) -> tuple[MoobiusStorage, list[FailingOnCall]]:
    storage = MoobiusStorage("1", "tavern")
    engines = [FailingOnCall(f"service_1.channel_tavern.{name}") for name in ("bars", "notes")]
    for key, value in START.items():
        engines[0].set_value(key, value)
    for engine, name in zip(engines, ("bars", "notes"), strict=True):
        storage.put(name, engine, load=load)
    return storage, engines


def changed() -> dict[str, object]:
    return {"ann": 7, "bob": [2, 5], "cid": {"hp": 2}, "dan": 4, "eve": 6}
