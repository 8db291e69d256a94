"""Two processes on one channel, as far as the server can tell: what one commits, the other gets, and nobody overrules unseen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from storage import CachedDict, MoobiusStorage, VersionConflict
from tests.shared.ports_for_tests import start_valkey

pytestmark = pytest.mark.redis


@pytest.fixture
def channel(fresh_domain: str) -> str:
    return fresh_domain.split("_")[1].partition(".")[0]


@pytest.fixture
def pair(redis_port: int, channel: str) -> Iterator[tuple[MoobiusStorage, MoobiusStorage]]:
    with closing(opened(redis_port, channel, 0)) as one, closing(opened(redis_port, channel, 1)) as other:
        yield one, other


def opened(port: int, channel: str, number: int, **settings: Any) -> MoobiusStorage:
    """Storages whose settings differ share no client, so they are strangers to each other."""
    entry = {"host": "127.0.0.1", "port": port, "timeout": 5.0 + number, **settings}
    return MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": entry} for name in ("health", "mana")])


def wait_for(storage: MoobiusStorage, name: str, key: str, value: Any) -> None:
    found = threading.Event()
    for _ in range(500):
        if getattr(storage, name).get(key) == value:
            return
        found.wait(0.01)
    assert getattr(storage, name).get(key) == value


def test_a_transaction_on_what_others_have_changed_is_refused_and_succeeds_when_repeated(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    one.health["ann"] = 100
    with pytest.raises(VersionConflict), other.transaction():
        other.health["ann"] = other.health.get("ann", 0) - 10
    assert one.health["ann"] == 100
    with other.transaction():
        other.health["ann"] -= 10
        other.mana["ann"] = 5
    with pytest.raises(VersionConflict), one.transaction():
        one.health["ann"] -= 10
    with one.transaction():
        one.health["ann"] -= 10
    assert (one.health["ann"], one.mana["ann"]) == (80, 5)


async def test_the_same_holds_on_an_event_loop(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    one.health["ann"] = 0

    async def add(storage: MoobiusStorage) -> None:
        for _ in range(50):
            while True:
                try:
                    async with storage.transaction():
                        storage.health["ann"] = storage.health.get("ann", 0) + 1
                        await asyncio.sleep(0)
                    break
                except VersionConflict:
                    continue

    await asyncio.gather(add(one), add(other))
    with one.transaction():
        assert max(one.health["ann"], other.health["ann"]) == 100


def test_single_sets_of_others_show_after_the_next_own_one(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    one.health["ann"] = 1
    other.health["bob"] = 2
    assert other.health.copy() == {"ann": 1, "bob": 2}
    one.mana["ann"] = 3
    assert one.health.copy() == {"ann": 1, "bob": 2}


def test_single_operations_are_repeated_when_another_process_was_first(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair

    def behind() -> CachedDict:
        """The dict of a process that has not heard yet of the other's last commit."""
        other.mana["noise"] = other.mana.get("noise", 0) + 1
        other.health["noise"] = 1
        return one.health

    behind().update({"ann": 1, "bob": 2})
    assert behind().setdefault("ann", 9) == 1
    assert behind().setdefault("cat", 3) == 3
    other.health["bob"] = 5
    assert one.health.pop("bob") == 5
    assert behind().pop("dog", None) is None
    with pytest.raises(KeyError):
        behind().pop("dog")
    behind().__ior__({"dog": 4})
    assert dict([behind().popitem()]).keys() < {"ann", "cat", "dog", "noise"}
    other.health["eve"] = 1
    one.health.clear()
    with other.transaction():
        assert other.health == {}


def test_counting_in_many_threads_of_two_processes_by_single_operations(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    taken: list[str] = []
    pair[0].health.update({str(number): number for number in range(40)})

    def take_all(storage: MoobiusStorage) -> None:
        while True:
            try:
                taken.append(storage.health.popitem()[0])
            except KeyError:
                return

    threads = [threading.Thread(target=take_all, args=(storage,)) for storage in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(40)], "each was taken once"


def test_a_followed_storage_sees_everything_by_itself(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    woken = threading.Event()
    other.follow(woken.set)
    one.health["ann"] = {"hp": [1]}
    assert woken.wait(5)
    wait_for(other, "health", "ann", {"hp": [1]})
    assert other.news() == {"health": {"ann"}}
    assert other.news() == {}
    with one.transaction():
        del one.health["ann"]
        one.mana["\ud800"] = 1
    wait_for(other, "mana", "\ud800", 1)
    assert "ann" not in other.health
    assert other.news() == {"health": {"ann"}, "mana": {"\ud800"}}


def test_who_falls_behind_the_stream_loads_everything_anew(redis_port: int, channel: str) -> None:
    with closing(opened(redis_port, channel, 0, stream_length=1)) as one, closing(opened(redis_port, channel, 1)) as other:
        with pytest.raises(VersionConflict), other.transaction():
            other.health["bob"] = 1
            for number in range(500):
                one.health[str(number)] = number
        assert len(other.health) == 500
        with other.transaction():
            other.health["bob"] = 1
        assert len(other.health) == 501


def test_reading_goes_on_however_much_is_committed(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    one.follow(lambda: None)
    other.follow(lambda: None)
    for number in range(1500):
        one.health[str(number)] = number
    assert len(one.health) == 1500
    wait_for(other, "health", "1499", 1499)
    assert len(other.health) == 1500
    for number in range(1500):
        one.health["again"] = number
        if number % 2:
            del one.health[str(number)]
        one.mana[str(number % 7)] = number  # the last of all, which is waited for
    wait_for(other, "mana", str(1499 % 7), 1499)
    assert other.health == one.health
    assert other.mana == one.mana  # in no order in particular: who loads anew has that of the server


def test_who_has_not_looked_for_very_long_loads_anew(pair: tuple[MoobiusStorage, MoobiusStorage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.redis.domain._FEW", 10)
    monkeypatch.setattr("storage.redis.domain._MOST", 100)
    one, other = pair
    other.follow(lambda: None)
    one.mana["seen"] = 0
    wait_for(other, "mana", "seen", 0)
    for number in range(500):
        one.health[str(number)] = number
    one.mana["seen"] = 1
    wait_for(other, "mana", "seen", 1)
    assert len(other.health) == 500


def test_what_a_transaction_begins_on_is_never_old(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    assert "ann" not in other.health
    one.health["ann"] = 1

    def sees() -> bool:
        try:
            with other.transaction():
                if "ann" not in other.health:
                    raise LookupError("it is not there yet")
        except LookupError:
            return False
        return True

    within(2.0, sees)
    one.health["ann"] = 2
    within(2.0, lambda: other.health.setdefault("ann", 0) == 2)


async def test_nor_is_it_on_an_event_loop(pair: tuple[MoobiusStorage, MoobiusStorage]) -> None:
    one, other = pair
    one.health["ann"] = 1
    until = time.monotonic() + 2.0
    seen = None
    while seen != 1 and time.monotonic() < until:
        async with other.transaction():
            seen = other.health.get("ann")
        await asyncio.sleep(0.02)
    assert seen == 1


def within(seconds: float, holds: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "what others committed is older than it may be"
        time.sleep(0.02)


@pytest.mark.parametrize("size", [100, 100_000, 3_000_000])
def test_the_stream_has_a_size_as_well_as_a_length(redis_port: int, channel: str, size: int) -> None:
    with closing(opened(redis_port, channel, 0, stream_bytes=1_000_000)) as one, closing(opened(redis_port, channel, 1)) as other:
        other.follow(lambda: None)
        largest = 0
        for number in range(20 if size > 100 else 2000):
            one.health[str(number % 10)] = {"number": number, "text": "x" * size}
            if number % 10 == 9:
                largest = max(largest, one.health.database.shared_size() or 0)
        assert 0 < largest < 1_400_000
        one.mana["done"] = True
        wait_for(other, "mana", "done", True)
        assert other.health == one.health


def test_a_follower_survives_a_restart_of_the_server(fresh_domain: str) -> None:
    server = start_valkey(appendonly="yes")
    try:
        with closing(opened(int(server.port), "tavern", 0)) as one, closing(opened(int(server.port), "tavern", 1)) as other:
            other.follow(lambda: None)
            one.health["ann"] = 1
            wait_for(other, "health", "ann", 1)
            server.stop()
            assert other.health["ann"] == 1, "what is known is there while the server is away"
            server.start()
            one.health["ann"] = 2
            wait_for(other, "health", "ann", 2)
    finally:
        server.terminate()
