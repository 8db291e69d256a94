"""Commits to Redis that are sent twice, arrive late, or meet another version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from storage.errors import CommitFailed, StorageUnavailable, VersionConflict
from storage.redis_client import RedisAddress, RedisClient
from storage.redis_commit import ChannelCommits, Committed, Script

pytestmark = pytest.mark.redis


class LateNetwork:
    """Runs scripts on the real server; while `stuck`, it holds them back and reports that no answer came."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client
        self._held: list[tuple[Script, list[bytes], list[Any]]] = []
        self.stuck = False

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any:
        if self.stuck:
            self._held.append((script, list(keys), list(arguments)))
            raise StorageUnavailable("no answer")
        return self._client.run(script, keys, arguments)

    def deliver(self) -> None:
        for request in self._held:
            self._client.run(*request)


@pytest.fixture
def client(redis_port: int) -> Iterator[RedisClient]:
    with closing(RedisClient(RedisAddress("127.0.0.1", redis_port, 0, None, None, 5.0, 5.0))) as opened:
        yield opened


@pytest.fixture
def prefix(fresh_domain: str) -> bytes:
    return f"mooring:{{{fresh_domain}}}".encode()


def test_a_commit_on_an_outdated_version_changes_nothing(client: RedisClient, prefix: bytes) -> None:
    commits = ChannelCommits(client, prefix)
    assert commits.commit({prefix: {b"ann": b"1"}}) == Committed(1, 0)
    assert commits.commit({prefix: {b"ann": b"2"}}, expected=1) == Committed(2, 0)
    with pytest.raises(VersionConflict, match="version 2 instead of 1"):
        commits.commit({prefix: {b"ann": b"3"}}, expected=1)
    assert client.call("HGET", prefix, "ann") == b"2"
    assert commits.commit({prefix: {b"ann": None}}, expected=2) == Committed(3, 1)


def test_a_commit_that_changes_nothing_leaves_the_version(client: RedisClient, prefix: bytes) -> None:
    commits = ChannelCommits(client, prefix)
    assert commits.commit({prefix: {b"ann": None}}) == Committed(0, 0)
    assert commits.commit({}) == Committed(0, 0)


def test_a_commit_that_arrives_after_it_was_given_up_comes_to_nothing(client: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = ChannelCommits(network, prefix)
    commits.commit({prefix: {b"ann": b"1"}})
    network.stuck = True
    with pytest.raises(StorageUnavailable):
        commits.commit({prefix: {b"ann": b"99"}})
    network.stuck = False
    commits.settle()
    network.deliver()
    assert client.call("HGET", prefix, "ann") == b"1"


def test_a_commit_that_arrives_twice_is_applied_once(client: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = ChannelCommits(network, prefix)
    network.stuck = True
    with pytest.raises(StorageUnavailable):
        commits.commit({prefix: {b"ann": b"1"}})
    network.deliver()
    network.stuck = False
    ChannelCommits(client, prefix).commit({prefix: {b"ann": b"2"}})
    network.deliver()
    assert client.call("HGET", prefix, "ann") == b"2"


def test_while_it_cannot_be_settled_reading_is_refused(client: RedisClient, prefix: bytes) -> None:
    network = LateNetwork(client)
    commits = ChannelCommits(network, prefix)
    commits.settle()
    network.stuck = True
    for attempt in (lambda: commits.commit({prefix: {b"ann": b"1"}}), commits.settle):
        with pytest.raises(StorageUnavailable):
            attempt()


def test_more_changes_than_the_server_takes_are_refused_before_it_sees_them(client: RedisClient, prefix: bytes) -> None:
    with pytest.raises(CommitFailed, match="nothing was changed"):
        ChannelCommits(client, prefix).commit({prefix: {str(number).encode(): b"1" for number in range(500_000)}})
    assert client.call("EXISTS", prefix) == 0
