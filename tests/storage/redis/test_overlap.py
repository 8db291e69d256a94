"""Overlapping transactions on a server: scripts that wait go together, each naming the one before it."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest

from storage import MoobiusStorage
from storage.errors import PredecessorFailed, StorageError, VersionConflict
from storage.outcome import Outcome
from storage.redis.database import RedisDatabase
from storage.redis.scripts import Request
from tests.shared.cutting_proxy import CuttingProxy
from tests.shared.servers_for_tests import Server

pytestmark = pytest.mark.redis


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def pair(any_server: Server, channel: str) -> Iterator[tuple[MoobiusStorage, MoobiusStorage]]:
    with opened(any_server.port, channel, 0) as one, opened(any_server.port, channel, 1) as other:
        yield one, other


def opened(port: int, channel: str, number: int = 0) -> closing[MoobiusStorage]:
    settings = {"host": "127.0.0.1", "port": port, "timeout": 3.0 + number}
    return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": settings} for name in ("gold", "notes")]))


async def give(storage: MoobiusStorage, giver: str, taker: str, amount: int = 10) -> Outcome:
    async with storage.transaction("ann", f"{giver} to {taker}", overlap=True) as transaction:
        storage.gold[giver] = storage.gold.get(giver, 0) - amount
        storage.gold[taker] = storage.gold.get(taker, 0) + amount
    assert transaction.outcome is not None
    return transaction.outcome


def hold_back(storage: MoobiusStorage, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Let no overlapping commit reach the server before the event is set, so that none is refused before the next is built on it."""
    engine = storage.gold.database
    assert isinstance(engine, RedisDatabase)
    run_all, may_go = engine._client.run_all, threading.Event()

    def held_back(requests: Sequence[Request]) -> list[Any]:
        assert may_go.wait(60)
        return run_all(requests)

    monkeypatch.setattr(engine._client, "run_all", held_back)
    return may_go


async def failures(outcomes: list[Outcome]) -> list[type[StorageError] | None]:
    found: list[type[StorageError] | None] = []
    for outcome in outcomes:
        await outcome.end()
        error = outcome.exception()
        found.append(None if error is None else type(error))
    return found


async def test_the_next_begins_at_once_and_many_go_in_one_round_trip(
    pair: tuple[MoobiusStorage, MoobiusStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    engine = one.gold.database
    assert isinstance(engine, RedisDatabase)
    sent: list[int] = []
    run_all = engine._client.run_all

    def counted(requests: Sequence[Request]) -> list[Any]:
        sent.append(len(requests))
        return run_all(requests)

    monkeypatch.setattr(engine._client, "run_all", counted)
    outcomes = []
    for _ in range(50):
        outcomes.append(await give(one, "ann", "bob", 1))
    assert await failures(outcomes) == [None] * 50
    assert sum(sent) == 50
    assert len(sent) < 25
    other.gold.update(seen=True)
    assert other.gold.copy() == {"ann": -50, "bob": 50, "seen": True}


async def test_what_was_built_on_a_commit_that_came_too_late_is_never_made(
    pair: tuple[MoobiusStorage, MoobiusStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = pair
    for storage in pair:
        storage.gold.update({})
    one.gold["ann"] = 100
    with one.transaction():
        assert one.gold["ann"] == 100
    all_are_handed = hold_back(one, monkeypatch)
    async with one.transaction(overlap=True) as first:
        one.gold["ann"] -= 10
        one.gold["bob"] = 10
        other.gold["cat"] = 1
    outcomes = [first.outcome, *[await give(one, "bob", "eve") for _ in range(3)]]
    all_are_handed.set()
    assert await failures([outcome for outcome in outcomes if outcome is not None]) == [VersionConflict, *[PredecessorFailed] * 3]
    one.notes["x"] = 1
    assert one.gold.copy() == {"ann": 100, "cat": 1}


async def test_another_process_between_two_of_a_row_fails_all_that_follow(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    """Money comes from nowhere if the second is refused and the third, which was built on it, is made."""
    one, other = pair
    one.gold.update(ann=1000, bob=0, eve=0)
    expected = {"ann": 1000, "bob": 0, "eve": 0}
    kinds = set()
    for number in range(40):
        outcomes = []
        ways = [("ann", "bob"), ("bob", "eve")] * 8
        for place, (giver, taker) in enumerate(ways):
            outcomes.append(await give(one, giver, taker, 1))
            if place == 7:
                await asyncio.to_thread(other.notes.update, x=number)
        for (giver, taker), failure in zip(ways, await failures(outcomes), strict=True):
            kinds.add(failure)
            expected[giver] -= failure is None
            expected[taker] += failure is None
        other.gold.update({"seen": number})
        assert {name: other.gold[name] for name in expected} == expected
    assert kinds == {None, VersionConflict, PredecessorFailed}


async def test_two_processes_that_overlap_count_exactly(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    for storage in pair:
        storage.follow(lambda: None)

    async def count(storage: MoobiusStorage) -> None:
        left = 100
        while left:
            outcomes = []
            for _ in range(min(left, 10)):
                try:
                    async with storage.transaction(overlap=True) as transaction:
                        storage.gold["total"] = storage.gold.get("total", 0) + 1
                    outcomes.append(transaction.outcome)
                except PredecessorFailed:
                    break
            left -= (await failures([outcome for outcome in outcomes if outcome is not None])).count(None)

    await asyncio.gather(*(count(storage) for storage in pair))
    pair[0].notes["x"] = 1
    pair[0].notes.update(y=1)
    assert pair[0].gold["total"] == 200


async def test_answers_that_get_lost_are_asked_for_and_nothing_is_made_twice(any_server: Server, channel: str) -> None:
    async with CuttingProxy(any_server.port) as proxy:
        with await asyncio.to_thread(opened, proxy.port, channel) as storage:
            proxy.chance = 0.3
            made = 0
            for _ in range(20):
                outcomes = []
                for _ in range(5):
                    try:
                        outcomes.append(await give(storage, "ann", "bob", 1))
                    except (PredecessorFailed, StorageError):
                        break
                made += (await failures(outcomes)).count(None)
            proxy.chance = 0.0
            with_all = await asyncio.to_thread(settled, storage)
            assert proxy.cuts > 0
            assert with_all == {"ann": -made, "bob": made}


def settled(storage: MoobiusStorage) -> dict[str, int]:
    with storage.transaction():
        found: dict[str, int] = storage.gold.copy()
    return found


async def test_a_server_that_goes_away_and_comes_back_in_the_middle(server: Server, channel: str) -> None:
    with opened(server.port, channel) as storage:
        outcomes = [await give(storage, "ann", "bob", 1) for _ in range(3)]
        await failures(outcomes)
        server.pause()
        outcomes = [await give(storage, "ann", "bob", 1) for _ in range(5)]
        await asyncio.sleep(0.3)
        assert not any(outcome.done() for outcome in outcomes)
        server.resume()
        assert await failures(outcomes) == [None] * 5
        assert storage.gold.copy() == {"ann": -8, "bob": 8}
