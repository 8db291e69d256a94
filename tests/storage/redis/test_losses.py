"""Commits that the server acknowledged and has lost: noticed by whoever knew them, named, and answered by loading anew."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from storage import Finding, MoobiusStorage, VersionConflict
from storage.errors import PredecessorFailed
from storage.redis.database import RedisDatabase
from storage.redis.keys import redis_key
from tests.shared.servers_for_tests import Server
from tests.shared.snapshots_for_tests import Snapshot
from tests.waiting_for_tests import wait_for

pytestmark = pytest.mark.redis


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def raw(any_server: Server) -> Iterator[Any]:
    with any_server.raw() as client:
        yield client


def opened(server: Server, channel: str, number: int = 0, **settings: Any) -> closing[MoobiusStorage]:
    """Storages whose settings differ share no client, so they are strangers to each other."""
    entry = {"port": server.port, "timeout": 5.0 + number, **settings}
    return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": entry} for name in ("health", "mana")]))


def add(storage: MoobiusStorage, *names: str, event: str = "") -> None:
    """A commit for each name, whose event has that name, unless another is given."""
    for name in names:
        with storage.transaction("ann", event or name):
            storage.health[name] = len(storage.health)


def snapshot(raw: Any, channel: str) -> Snapshot:
    return Snapshot(raw, redis_key(f"service_1.channel_{channel}.health")[0])


def lost(storage: MoobiusStorage) -> list[str]:
    """The events of which the storage says that they are lost."""
    named = [re.search(r"lost: event (\S+) of ann, version \d+, acknowledged at 20\d\d-", finding.reason) for finding in losses(storage)]
    return [found[1] for found in named if found]


def losses(storage: MoobiusStorage) -> list[Finding]:
    return [finding for finding in storage.report if finding.kind == "lost"]


def engine_of(storage: MoobiusStorage) -> RedisDatabase:
    engine = storage.health.database
    assert isinstance(engine, RedisDatabase)
    return engine


def test_who_commits_next_notices(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        add(one, "a", "b")
        before = snapshot(raw, channel)
        add(one, "c", "d", "e")
        before.restore()
        with pytest.raises(VersionConflict), one.transaction():
            one.health["a"] = len(one.health)
        assert lost(one) == ["c", "d", "e"]
        assert "from version 5 to 2" in losses(one)[0].reason
        assert one.health.copy() == {"a": 0, "b": 1}
        assert "3 acknowledged commits" in str(engine_of(one).notice)
        assert engine_of(one).lost_commits == 3
        add(one, "f")
        with opened(any_server, channel, 1) as late:
            assert late.health.copy() == {"a": 0, "b": 1, "f": 2}
            assert (losses(late), engine_of(late).notice) == ([], None), "it knew nothing that is gone"


@pytest.mark.parametrize("more", [1, 3, 5])
def test_others_making_up_the_number_hides_nothing(any_server: Server, channel: str, raw: Any, more: int) -> None:
    """Those who only follow see numbers go on; the commits behind them are others."""
    with opened(any_server, channel) as following, opened(any_server, channel, 1) as writing:
        following.follow(lambda: None)
        add(writing, "a", "b")
        before = snapshot(raw, channel)
        add(writing, "c", "d", "e")
        wait_for(lambda: len(following.health) == 5)
        before.restore()
        with opened(any_server, channel, 2) as fresh:
            add(fresh, *(f"x{number}" for number in range(more)))
            wait_for(lambda: lost(following) == ["c", "d", "e"])
            wait_for(lambda: following.health.copy() == fresh.health.copy())
            assert engine_of(following).lost_commits >= 3
            with suppress(VersionConflict), writing.transaction():
                writing.health["keys"] = "".join(writing.health)
            assert "c" not in writing.health.get("keys", "")
            assert lost(writing) == ["c", "d", "e"]
            add(writing, "y")
            wait_for(lambda: following.health.copy() == writing.health.copy())
            assert "c" not in following.health


def test_flushing_the_server_loses_everything_and_says_so(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one, opened(any_server, channel, 1) as other, opened(any_server, channel, 2) as following:
        following.follow(lambda: None)
        add(one, "a", "b", "c")
        wait_for(lambda: len(following.health) == 3)
        snapshot(raw, channel)
        keys = list(raw.scan_iter(f"*{channel}*"))
        raw.delete(*keys)
        one.health["new"] = 1
        assert one.health.copy() == {"new": 1}, "one's own next commit is seen"
        assert lost(one) == ["a", "b", "c"]
        wait_for(lambda: following.health.copy() == {"new": 1})
        assert lost(following) == ["a", "b", "c"]
        for number in range(12):
            other.mana[str(number)] = number
        wait_for(lambda: len(following.mana) == 12)
        assert lost(following) == ["a", "b", "c"]
        assert other.health.copy() == {"new": 1}


def test_a_flush_is_noticed_by_who_only_follows(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one, opened(any_server, channel, 1) as following:
        add(one, "a", "b")
        following.follow(lambda: None)
        wait_for(lambda: len(following.health) == 2)
        raw.delete(*raw.scan_iter(f"*{channel}*"))
        wait_for(lambda: losses(following), 15)
        assert following.health.copy() == {}


def test_transactions_on_lost_commits_are_refused_in_every_way(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        add(one, "a")
        before = snapshot(raw, channel)
        add(one, "b")
        before.restore()
        one.health.update({"c": 3})
        assert one.health.copy() == {"a": 0, "c": 3}
        assert lost(one) == ["b"]


async def test_overlapping_transactions_notice_too(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        add(one, "a")
        before = snapshot(raw, channel)
        add(one, "b")
        before.restore()
        outcomes = []
        for number in range(3):
            async with one.transaction("ann", str(number), overlap=True) as transaction:
                one.health[str(number)] = len(one.health)
            outcomes.append(transaction.outcome)
        failures = []
        for outcome in outcomes:
            assert outcome is not None
            await outcome.end()
            failures.append(type(outcome.exception()))
        assert failures[0] is VersionConflict
        assert set(failures[1:]) <= {PredecessorFailed, type(None)}, "who began after the first had failed saw what is there"
        assert lost(one) == ["b"]
        made = [str(number) for number, failure in enumerate(failures) if failure is type(None)]
        assert one.health.copy() == {"a": 0, **{name: 1 + place for place, name in enumerate(made)}}


def test_who_was_away_while_more_was_committed_than_the_stream_keeps_misses_its_own(any_server: Server, channel: str, raw: Any) -> None:
    with opened(any_server, channel) as one:
        add(one, "a")
        before = snapshot(raw, channel)
        add(one, "b")
        before.restore()
        with opened(any_server, channel, 1, stream_length=1) as other:
            for number in range(500):
                other.health[str(number)] = number
        with pytest.raises(VersionConflict), one.transaction():
            one.health["c"] = 1
        assert lost(one) == ["b"]
