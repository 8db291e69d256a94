"""Commits to Redis that are sent twice, arrive late, or meet another version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest

from storage.errors import CommitFailed, OutcomeUnknown, StorageError, StorageUnavailable, VersionConflict
from storage.redis.address import RedisAddress
from storage.redis.channel import RedisChannel
from storage.redis.client import RedisClient
from storage.redis.commit import Commit, Committed, refuse_too_many
from storage.redis.committer import commit_now
from storage.redis.failures import Unanswered
from storage.redis.scripts import Request, Script

pytestmark = pytest.mark.redis


class LateNetwork:
    """Runs scripts on the real server; while `stuck`, it holds them back and reports that no answer came."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._held: list[Request] = []
        self.process = client.process
        self.address = client.address
        self.stuck = False

    def call(self, *command: Any) -> Any:
        return self._client.call(*command)

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any:
        (answer,) = self.run_all([Request(script, list(keys), list(arguments))])
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def run_all(self, requests: Sequence[Request]) -> list[Any]:
        if self.stuck:
            self._held += requests
            raise Unanswered("no answer")
        return self._client.run_all(requests)

    def deliver(self) -> None:
        self._client.run_all(self._held)


class Committing:
    """One process's commits to one channel."""

    def __init__(self, network: LateNetwork | RedisClient, prefix: bytes) -> None:
        self._network = network
        self.channel = RedisChannel(network, prefix)

    def commit(self, fields: Mapping[bytes, bytes | None], base: int | None = None) -> Committed:
        changes = {b"": fields} if fields else {}
        return commit_now(self._network, Commit(self.channel, changes, base, patience=0.05))


@pytest.fixture
def client(redis_port: int) -> Iterator[RedisClient]:
    with closing(RedisClient(RedisAddress((("127.0.0.1", redis_port),)))) as opened:
        yield opened


@pytest.fixture
def other(redis_port: int) -> Iterator[RedisClient]:
    """Another process, as far as the server can tell."""
    with closing(RedisClient(RedisAddress((("127.0.0.1", redis_port),)))) as opened:
        yield opened


@pytest.fixture
def prefix(fresh_domain: str) -> bytes:
    return f"mooring:{{{fresh_domain}}}".encode()


def test_a_commit_on_what_is_old_changes_nothing(client: RedisClient, other: RedisClient, prefix: bytes) -> None:
    commits, others = Committing(client, prefix), Committing(other, prefix)
    assert commits.commit({b"ann": b"1"}) == Committed(1, 0)
    base = commits.channel.moment
    assert commits.commit({b"ann": b"2"}, base) == Committed(2, 0)
    with pytest.raises(VersionConflict):
        commits.commit({b"ann": b"3"}, base)
    base = commits.channel.moment
    others.commit({b"bob": b"1"})
    with pytest.raises(VersionConflict):
        commits.commit({b"ann": b"3"}, base)
    assert client.call("HGETALL", prefix) == [b"ann", b"2", b"bob", b"1"]
    assert commits.commit({b"ann": None}, commits.channel.moment) == Committed(4, 1)


def test_a_commit_that_changes_nothing_leaves_the_version(client: RedisClient, prefix: bytes) -> None:
    commits = Committing(client, prefix)
    assert commits.commit({b"ann": None}) == Committed(0, 0)
    assert commits.commit({}) == Committed(0, 0)


def test_a_commit_that_arrives_after_it_was_given_up_comes_to_nothing(client: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = Committing(network, prefix)
    commits.commit({b"ann": b"1"})
    network.stuck = True
    with pytest.raises(OutcomeUnknown):
        commits.commit({b"ann": b"99"})
    network.stuck = False
    commits.channel.settle()
    network.deliver()
    assert client.call("HGET", prefix, "ann") == b"1"


def test_a_commit_that_arrives_twice_is_applied_once(client: RedisClient, other: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = Committing(network, prefix)
    network.stuck = True
    with pytest.raises(StorageUnavailable):
        commits.commit({b"ann": b"1"})
    network.deliver()
    network.stuck = False
    Committing(other, prefix).commit({b"ann": b"2"})
    network.deliver()
    assert client.call("HGET", prefix, "ann") == b"2"


def test_while_it_cannot_be_settled_reading_is_refused(client: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = Committing(network, prefix)
    commits.channel.settle()
    network.stuck = True
    for attempt in (lambda: commits.commit({b"ann": b"1"}), commits.channel.settle):
        with pytest.raises(StorageUnavailable):
            attempt()


def test_more_changes_than_one_script_should_take_are_refused_before_the_server_sees_them() -> None:
    with pytest.raises(CommitFailed, match="nothing was changed"):
        refuse_too_many({b"": {str(number).encode(): b"1" for number in range(1_000_001)}})
