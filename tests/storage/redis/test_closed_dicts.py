"""What nobody has open leaves the memory of a client that goes on, and the channel goes on where it was when it is opened again."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import closing

import pytest

from storage import CachedDict, MoobiusStorage
from storage.redis.database import RedisDatabase
from storage.redis.domain import SharedDomain

pytestmark = pytest.mark.redis


def storage_of(channel_id: str, port: int) -> MoobiusStorage:
    entries = [{"implementation": "redis", "name": name, "settings": {"port": port}} for name in ("health_bars", "mana_bars")]
    return MoobiusStorage("closed", channel_id, entries)


def in_memory(channel_id: str) -> set[str]:
    gc.collect()
    return {each.name for each in gc.get_objects() if isinstance(each, SharedDomain) and f"channel_{channel_id}." in each.name}


def test_the_dicts_of_a_closed_channel_leave_the_memory(redis_port: int) -> None:
    with storage_of("stays", redis_port):
        with storage_of("club", redis_port) as storage, storage.transaction():
            storage.health_bars["ann"] = 80
        assert len(in_memory("club")) == 2
        del storage
        assert in_memory("club") == set()


def test_a_channel_that_is_opened_and_closed_again_and_again_keeps_all_commits_of_all_processes(redis_port: int) -> None:
    url = f"redis://localhost:{redis_port}"

    def another_client() -> RedisDatabase:
        """With another address it is another client, as of another process."""
        return RedisDatabase("service_closed.channel_again.health_bars", url=url)

    with storage_of("stays_too", redis_port), closing(another_client()) as other:
        other.all_keys()
        for number in range(30):
            with storage_of("again", redis_port) as storage:
                assert storage.health_bars.get("ours", 0) == storage.mana_bars.get("ours", 0) == number
                assert storage.health_bars.get("theirs", 0) == number
                with storage.transaction():
                    storage.health_bars["ours"] = storage.mana_bars["ours"] = number + 1
            del storage
            gc.collect()
            theirs = CachedDict(other)
            theirs.load()
            assert theirs["ours"] == number + 1
            theirs["theirs"] = number + 1


def test_what_is_opened_beside_one_that_stays_open_sees_what_that_changes(redis_port: int) -> None:
    def opened(change: Callable[[MoobiusStorage], object]) -> None:
        with storage_of("beside", redis_port) as second:
            change(second)

    with storage_of("beside", redis_port) as first:
        for number in range(20):
            first.health_bars["ann"] = number
            opened(lambda second, number=number: second.mana_bars.update(ann=second.health_bars["ann"] + number))  # type: ignore[misc]  # bound now
            gc.collect()
            assert first.mana_bars["ann"] == 2 * number
