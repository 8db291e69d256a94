"""Users of few rights: the documented ones are all that is needed, and one that is missing costs no half commit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from storage import MoobiusStorage, StorageError
from storage.database_interface import DomainChanges, Origin
from storage.errors import CommitFailed
from storage.redis.database import RedisDatabase
from storage.sizes import size_of
from tests.shared.documented_user import PLACES, Place, rights, user
from tests.shared.servers_for_tests import Server
from tests.waiting_for_tests import wait_for

pytestmark = pytest.mark.redis


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


def let_in(raw: Any, *more: str, without: str = "") -> None:
    """Make the user as the page says, with what it says besides, and without one of the rights."""
    raw.execute_command("ACL SETUSER", *user(without=without), *more)


@pytest.fixture
def limited(server: Server) -> Iterator[Any]:
    """A client with all rights, on a server with the documented user."""
    with server.raw() as raw:
        let_in(raw)
        yield raw


def opened(server: Server, channel: str, number: int = 0) -> closing[MoobiusStorage]:
    settings = {"port": server.port, "username": "mooring", "password": "pw", "timeout": 5.0 + number}
    return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": settings} for name in ("health", "mana")]))


@pytest.mark.parametrize("right", rights())
def test_a_right_that_is_missing_is_named_at_the_start(server: Server, channel: str, right: str) -> None:
    with server.raw() as raw:
        let_in(raw, without=right)
        with pytest.raises(StorageError, match=rf"(?i){right[1:].partition('|')[0]}.*docs/scaling\.md") as raised:
            opened(server, channel)
        assert "\n" not in str(raised.value)
        assert list(raw.scan_iter("mooring:*")) == []


@pytest.mark.parametrize(
    "right", ["hset", "hdel", "xadd", "set", "hlen", "type", "hexists", "time", "xtrim", "xrange", "eval", "evalsha", "hmget", "get"]
)
def test_a_right_that_is_taken_away_later_costs_no_half_commit(server: Server, limited: Any, channel: str, right: str) -> None:
    with opened(server, channel) as storage:
        storage.health.update(ann=1, bob=2)
        storage.mana["ann"] = {"x": 1}
        engines = [storage.health.database, storage.mana.database]
        before = {key: limited.dump(key) for key in limited.scan_iter("mooring:*") if b"$process" not in key}
        limited.execute_command("ACL SETUSER", "mooring", f"-{right}")
        refused = False
        try:
            engines[0].commit_batch(
                [DomainChanges(engines[0], [("new", b"1"), ("ann", None)]), DomainChanges(engines[1], [("ann", None), ("cat", b"2")])],
                Origin(),
                sync=True,
            )
        except CommitFailed as error:
            refused = True
            assert "nothing was changed" in str(error)
        after = {key: limited.dump(key) for key in limited.scan_iter("mooring:*") if b"$process" not in key}
        if refused:
            assert after == before
        else:
            assert right in {"xtrim", "xrange", "time", "eval", "hexists", "hlen"}, "it needs the others"
        let_in(limited)
        storage.health["last"] = 1
        assert storage.health.copy() == ({"ann": 1, "bob": 2, "last": 1} if refused else {"bob": 2, "new": 1, "last": 1})


def test_who_may_not_use_the_keys_of_a_channel_is_told(server: Server, limited: Any, channel: str) -> None:
    limited.execute_command("ACL SETUSER", "mooring", "resetkeys", "~other:*")
    with pytest.raises(StorageError, match=r"docs/scaling\.md"):
        opened(server, channel)
    engine = RedisDatabase(f"service_1.channel_{channel}.health", port=server.port, username="mooring", password="pw")
    with closing(engine):
        assert engine.set_value("ann", 1)[0] is False


def test_a_user_of_some_channels_needs_no_others(server: Server, limited: Any) -> None:
    limited.execute_command("ACL SETUSER", "mooring", "resetkeys", "~mooring:{service_1.channel_mine}*")
    with opened(server, "mine") as storage:
        storage.health["ann"] = 1
        assert storage.health["ann"] == 1
    with pytest.raises(StorageError):
        opened(server, "yours")


@pytest.mark.parametrize("where", PLACES)
def test_two_processes_share_a_channel_with_the_documented_rights(where: str, documented_places: Callable[[str], Place], channel: str) -> None:
    settings = documented_places(where).settings

    def opened(number: int) -> closing[MoobiusStorage]:
        own = {**settings, "timeout": 5.0 + number}
        return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": own} for name in ("health", "mana")]))

    with opened(0) as one, opened(1) as other:
        heard: list[int] = []
        one.follow(lambda: None)
        other.follow(lambda: heard.append(1))
        with one.transaction(member="ann", event="1"):
            one.health["ann"] = 1
            one.mana["ann"] = {"x": [1]}
        wait_for(lambda: heard and other.health.get("ann") == 1, 10)
        with other.transaction():
            other.mana["ann"]["x"].append(other.health["ann"])
            del other.health["ann"]
        wait_for(lambda: one.mana["ann"] == {"x": [1, 1]} and "ann" not in one.health, 10)
        for number in range(50):  # both at once, so that they conflict
            one.health[f"one {number}"] = number
            other.health[f"other {number}"] = number
        assert one.health.pop("one 3") == 3
        wait_for(lambda: len(other.health) == 99, 10)
        assert (size_of(one) or 0) > 0
    with closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": "health", "settings": dict(settings)}])) as later:
        assert len(later.health) == 99
        later.health.clear()
