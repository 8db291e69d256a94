"""Keys of ours that somebody deletes, overwrites, renames or lets expire, and servers that evict them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from storage import MoobiusStorage, StorageError
from storage.redis.database import RedisDatabase
from storage.redis.keys import redis_key
from tests.shared.servers_for_tests import Server
from tests.waiting_for_tests import wait_for

pytestmark = pytest.mark.redis
NAMES = ("health", "mana")


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def raw(any_server: Server) -> Iterator[Any]:
    with any_server.raw() as client:
        yield client


def opened(server: Server, channel: str, number: int = 0, **settings: Any) -> closing[MoobiusStorage]:
    entry = {"port": server.port, "timeout": 5.0 + number, **settings}
    return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": entry} for name in NAMES]))


def key_of(channel: str, name: str) -> str:
    return redis_key(f"service_1.channel_{channel}.health")[0].decode() + ":" + name


def kinds(storage: MoobiusStorage) -> set[str]:
    return {finding.kind for finding in storage.report}


def expire(raw: Any, key: str) -> None:
    raw.pexpire(key, 1)
    wait_for(lambda: not raw.exists(key))


Damage = Callable[[Any, str, str], object]
"""Does something to the record and the stream of a channel."""

DAMAGE: dict[str, Damage] = {
    "record deleted": lambda raw, record, stream: raw.delete(record),
    "record expired": lambda raw, record, stream: expire(raw, record),
    "record renamed": lambda raw, record, stream: raw.rename(record, record + ".old"),
    "record no number": lambda raw, record, stream: raw.set(record, "oops"),
    "record empty": lambda raw, record, stream: raw.set(record, ""),
    "record a smaller number": lambda raw, record, stream: raw.set(record, 1),
    "record a list": lambda raw, record, stream: (raw.delete(record), raw.rpush(record, 1)),
    "version no number": lambda raw, record, stream: raw.hset(record, "version", "oops"),
    "version negative": lambda raw, record, stream: raw.hset(record, "version", "-3"),
    "version too small": lambda raw, record, stream: raw.hset(record, "version", "1"),
    "version gone": lambda raw, record, stream: raw.hdel(record, "version"),
    "epoch no number": lambda raw, record, stream: raw.hset(record, "epoch", "oops"),
    "epoch gone": lambda raw, record, stream: raw.hdel(record, "epoch"),
    "newest gone": lambda raw, record, stream: raw.hdel(record, "newest"),
    "stream deleted": lambda raw, record, stream: raw.delete(stream),
    "stream renamed": lambda raw, record, stream: raw.rename(stream, stream + ".old"),
    "stream trimmed": lambda raw, record, stream: raw.xtrim(stream, 1),
    "stream a text": lambda raw, record, stream: (raw.delete(stream), raw.set(stream, "oops")),
    "both deleted": lambda raw, record, stream: raw.delete(stream, record),
    "both texts": lambda raw, record, stream: (raw.set(stream, "oops"), raw.set(record, "oops")),
    "all but the dicts deleted": lambda raw, record, stream: raw.delete(*raw.scan_iter(record.replace("version", "*"))),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_the_bookkeeping_of_a_channel_is_mended(any_server: Server, channel: str, raw: Any, how: str) -> None:
    with opened(any_server, channel) as one, opened(any_server, channel, 1) as following:
        following.follow(lambda: None)
        for number in range(4):
            one.health[str(number)] = number
        one.mana["ann"] = 1
        wait_for(lambda: following.mana.get("ann") == 1)
        DAMAGE[how](raw, key_of(channel, "$version"), key_of(channel, "$stream"))
        one.health["4"] = 4
        with suppress(StorageError), one.transaction():
            one.mana["ann"] += 1
        one.mana.update(bob=2)
        assert one.health.copy() == {str(number): number for number in range(5)}
        with opened(any_server, channel, 2) as fresh:
            assert fresh.health.copy() == one.health.copy()
            fresh.mana["eve"] = 5
        wait_for(lambda: following.mana.get("eve") == 5)
        assert following.health.copy() == one.health.copy()
        following.mana["dan"] = 6
        one.mana.update(fox=7)
        assert one.mana["dan"] == 6
        for storage in (one, following):
            assert "lost" not in kinds(storage), storage.report


@pytest.mark.parametrize("how", [how for how in DAMAGE if how not in {"stream deleted", "stream renamed", "stream trimmed"}])
def test_what_was_mended_is_told(any_server: Server, channel: str, raw: Any, how: str) -> None:
    with opened(any_server, channel) as one:
        one.health["ann"] = 1
        one.health["bob"] = 2
    DAMAGE[how](raw, key_of(channel, "$version"), key_of(channel, "$stream"))
    with opened(any_server, channel, 1) as fresh:
        assert fresh.health.copy() == {"ann": 1, "bob": 2}
        fresh.health["eve"] = 3
        if how not in {"both deleted", "all but the dicts deleted"}:  # that looks like a channel in which nobody has committed yet
            assert "mended" in kinds(fresh)
    with opened(any_server, channel, 2) as last:
        assert "mended" not in kinds(last), "it is told once"
        assert last.health.copy() == {"ann": 1, "bob": 2, "eve": 3}


@pytest.mark.parametrize("how", ["deleted", "renamed", "expired", "half"])
def test_a_dict_whose_keys_vanish_is_reported_by_whoever_has_it(any_server: Server, channel: str, raw: Any, how: str) -> None:
    with opened(any_server, channel) as one, opened(any_server, channel, 1) as following:
        following.follow(lambda: None)
        one.health.update({str(number): number for number in range(6)})
        one.mana["ann"] = 1
        wait_for(lambda: following.mana.get("ann") == 1)
        table = key_of(channel, "health")
        if how == "deleted":
            raw.delete(table)
        elif how == "renamed":
            raw.rename(table, table + ".old")
        elif how == "expired":
            expire(raw, table)
        else:
            raw.hdel(table, "0", "1", "2")
        left = {str(number): number for number in range(3, 6)} if how == "half" else {}
        wait_for(lambda: following.health.copy() == left, 15)
        (found,) = [finding for finding in following.report if finding.kind == "lost"]
        assert f"had 6 keys after its last commit and has {len(left)} now" in found.reason
        assert (found.domain, str(following.health.database.notice)[-40:]) == (f"service_1.channel_{channel}.health", found.reason[-40:])
        one.health.update(new=1)
        assert one.health.copy() == {**left, "new": 1}
        assert "lost" in kinds(one)


def test_a_dict_that_vanished_while_nobody_looked_is_reported_at_the_next_start(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        one.health.update(ann=1, bob=2)
        one.mana["ann"] = 1
    raw.delete(key_of(channel, "health"))
    with opened(any_server, channel) as again:
        (found,) = [finding for finding in again.report if finding.kind == "lost"]
        assert "had 2 keys" in found.reason
        assert (again.health.copy(), again.mana.copy()) == ({}, {"ann": 1})
        again.health["ann"] = 3
    with opened(any_server, channel) as last:
        assert "lost" not in kinds(last)
        assert last.health.copy() == {"ann": 3}


def test_keys_that_an_operator_adds_are_no_loss(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        one.health["ann"] = 1
        raw.hset(key_of(channel, "health"), "bob", "2")
    with opened(any_server, channel) as again:
        assert (again.health.copy(), kinds(again)) == ({"ann": 1, "bob": 2}, set())


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_server_that_evicts_what_has_no_end_is_refused_with_the_remedy(server: Server, policy: str) -> None:
    with server.raw() as raw:
        raw.config_set("maxmemory-policy", policy)
        with pytest.raises(
            StorageError, match=rf"localhost:{server.port} evicts any key.*{policy}.*CONFIG SET maxmemory-policy noeviction"
        ) as raised:
            opened(server, "tavern")
        assert "\n" not in str(raised.value)
        with closing(RedisDatabase("service_1.channel_tavern.health", port=server.port)) as engine:
            succeeded, message = engine.set_value("ann", 1)
            assert not succeeded
            assert "noeviction" in message
            for good in ("noeviction", "volatile-lru", "volatile-ttl"):
                raw.config_set("maxmemory-policy", good)
                assert engine.set_value("ann", 1) == (True, "ann"), "as soon as it does that no more"


def test_channels_of_a_server_that_evicted_some_keys_all_work_and_say_what_is_gone(server: Server) -> None:
    channels = [f"channel {number}" for number in range(60)]
    with server.raw() as raw:
        for channel in channels:
            with opened(server, channel) as storage:
                storage.health.update({str(number): "x" * 500 for number in range(10)})
                storage.mana["ann"] = 1
        raw.config_set("maxmemory-policy", "allkeys-random")
        before = raw.dbsize()
        raw.config_set("maxmemory", raw.info("memory")["used_memory"])
        for number in range(400):
            raw.set(f"noise {number}", "x" * 2000)
            if raw.dbsize() - number < before - 80:
                break
        raw.config_set("maxmemory", 0)
        raw.config_set("maxmemory-policy", "noeviction")
        gone = 0
        for channel in channels:
            there = {name: raw.hlen(key_of(channel, name)) for name in NAMES}
            has_record = raw.exists(key_of(channel, "$version"))
            with opened(server, channel) as storage:
                lost = {finding.domain.rpartition(".")[2] for finding in storage.report if finding.kind == "lost"}
                if has_record:
                    assert lost == {name for name, count in (("health", 10), ("mana", 1)) if there[name] < count}
                gone += len(lost)
                assert (len(storage.health), len(storage.mana)) == (there["health"], there["mana"])
                with storage.transaction():
                    storage.health["new"] = storage.mana["new"] = 1
        assert gone > 0
