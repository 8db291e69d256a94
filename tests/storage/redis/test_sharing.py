"""Two processes on one channel, as far as the server can tell: what one commits, the other gets, and nobody overrules unseen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from storage import CachedDict, MoobiusStorage, VersionConflict
from storage.redis.keys import redis_key
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


def test_a_server_that_lost_commits_is_noticed_and_told(redis_port: int, channel: str) -> None:
    with closing(opened(redis_port, channel, 0)) as one, redis.Redis(port=redis_port) as raw:
        for number in range(5):
            one.health[str(number)] = number
        prefix, _ = redis_key(f"service_1.channel_{channel}.health")
        raw.set(prefix + b":$version", 2)
        raw.delete(prefix + b":$stream")
        raw.hdel(prefix + b":health", "2", "3", "4")
        with pytest.raises(VersionConflict), one.transaction():
            one.health["0"] = 10
        assert one.health.copy() == {"0": 0, "1": 1}
        (finding,) = {finding for finding in one.report if finding.kind == "lost"}
        assert "from version 5 to 2" in finding.reason
        with one.transaction():
            one.health["0"] = 10


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
