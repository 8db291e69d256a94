"""A cluster that is away for a moment, and slots that move between its nodes."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis.crc import key_slot

from storage import MoobiusStorage, StorageUnavailable
from storage.database_interface import DomainChanges, Origin
from storage.redis.database import RedisDatabase
from storage.redis.keys import redis_key
from tests.shared.cluster_for_tests import Cluster, Migration
from tests.waiting_for_tests import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.slow]
HOST = "127.0.0.1"


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def away(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, for a test that kills it."""
    yield cluster
    cluster.start()
    cluster.wait()


def opened(cluster: Cluster, channel: str, number: int = 0) -> MoobiusStorage:
    settings = {"url": cluster.url, "timeout": 5.0 + number, "connect_timeout": 1.0}
    return MoobiusStorage("1", channel, {"implementation": "redis", "name": "health", "settings": settings})


async def test_a_cluster_that_is_away_for_a_moment(away: Cluster, channel: str) -> None:
    with opened(away, channel) as one, opened(away, channel, 1) as other:
        other.follow(lambda: None)
        async with one.transaction():
            one.health["ann"] = 1
        wait_for(lambda: other.health.get("ann") == 1)
        engine = one.health.database
        away.kill()
        for _ in range(2):
            with pytest.raises(StorageUnavailable, match=re.escape(HOST)):
                one.health["ann"] = 2
            with pytest.raises(StorageUnavailable, match=re.escape(HOST)):
                async with one.transaction():
                    one.health["ann"] = 2
            with pytest.raises(StorageUnavailable, match=re.escape(HOST)):
                engine.load_all()
        assert HOST in str(engine.problem)
        wait_for(lambda: other.health.database.problem is not None)
        assert other.health["ann"] == 1, "what is known is there"
        with pytest.raises(StorageUnavailable, match=re.escape(HOST)):
            opened(away, channel, 2)
        away.start()
        away.wait()
        async with one.transaction():
            one.health["ann"] = 3
        wait_for(lambda: other.health["ann"] == 3)
        assert engine.problem is None
        wait_for(lambda: other.health.database.problem is None)
        with opened(away, channel, 2) as late:
            assert late.health.copy() == {"ann": 3}


def test_one_node_that_is_away_costs_the_others_nothing(away: Cluster) -> None:
    channels = [f"channel {number}" for number in range(12)]
    engines = [RedisDatabase(f"service_1.channel_{channel}.health", url=away.url, timeout=2.0) for channel in channels]
    slots = [key_slot(redis_key(engine.domain)[0]) for engine in engines]
    victim = away.primary_of(slots[0])
    with away.primary_of(slots[0]).raw() as raw:
        for node in away.nodes:
            with node.raw() as each:
                each.config_set("cluster-require-full-coverage", "no")
        assert raw.ping()
    for engine in engines:
        assert engine.set_value("ann", 1) == (True, "ann")
    victim.kill()
    for engine, slot in zip(engines, slots, strict=True):
        is_alive = away.primary_of(slot) is not victim
        assert engine.set_value("ann", 2)[0] is is_alive
        engine.close()


def test_while_a_slot_moves_commits_and_reads_get_through(cluster: Cluster, channel: str) -> None:
    with closing(RedisDatabase(f"service_1.channel_{channel}.health", url=cluster.url)) as engine:
        engine.set_value("ann", 1)
        slot = key_slot(redis_key(engine.domain)[0])
        source = cluster.primary_of(slot)
        target = next(node for node in cluster.nodes if node is not source)
        for origin, goal in ((source, target), (target, source)):
            move = Migration(slot, origin, goal)
            moving = threading.Thread(target=finish_slowly, args=(move,))
            moving.start()
            batch = [DomainChanges(engine, [("ann", b"2"), ("bob", b"3")])]
            engine.commit_batch(batch, Origin(), sync=True)
            while moving.is_alive():
                assert engine.load_all() == {"ann": b"2", "bob": b"3"}
            moving.join()
            assert engine.set_value("ann", 1) == (True, "ann")


def finish_slowly(move: Migration) -> None:
    """A key after the other, and some time with all of them there before the slot is."""
    time.sleep(0.2)
    while move.move(1):
        time.sleep(0.1)
    time.sleep(0.2)
    move.finish()
