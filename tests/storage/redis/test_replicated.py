"""Commits that count when replicas have them: `"acknowledge": "replicated"`."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from typing import Any

import pytest

from storage import ConfigError, MoobiusStorage, StorageError, VersionConflict
from storage.errors import OutcomeUnknown, PredecessorFailed
from storage.redis.database import RedisDatabase
from storage.redis.scripts import COMMIT, Request
from tests.shared.cluster_for_tests import Cluster
from tests.shared.servers_for_tests import KINDS, Server
from tests.waiting_for_tests import wait_for

pytestmark = pytest.mark.redis
REPLICATED: dict[str, Any] = {"acknowledge": "replicated", "acknowledge_timeout": 0.3}
PLAIN: dict[str, Any] = {}


@pytest.fixture(scope="module", params=KINDS)
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A primary and its replica."""
    folder = tmp_path_factory.mktemp("replicated")
    with Server(folder, kind=request.param) as primary, Server(folder, "--replicaof", "127.0.0.1", str(primary.port), kind=request.param) as replica:
        with replica.raw() as raw:
            wait_for(lambda: raw.info("replication")["master_link_status"] == "up", 20)
        yield primary, replica


@pytest.fixture
def replica(servers: tuple[Server, Server]) -> Iterator[Server]:
    """The replica, for a test that lets it fall silent."""
    yield servers[1]
    servers[1].resume()


@pytest.fixture
def channel() -> str:
    return uuid.uuid4().hex


def opened(port: int, channel: str, settings: dict[str, Any], number: int = 0, **more: Any) -> closing[MoobiusStorage]:
    entry = {"host": "127.0.0.1", "port": port, "timeout": 2.0 + number, **settings, **more}
    return closing(MoobiusStorage("1", channel, [{"implementation": "redis", "name": name, "settings": entry} for name in ("gold", "notes")]))


def test_a_commit_returns_when_the_replica_has_it(servers: tuple[Server, Server], replica: Server, channel: str) -> None:
    primary, _ = servers
    with opened(primary.port, channel, REPLICATED) as storage:
        engine = storage.gold.database
        with storage.transaction():
            storage.gold["ann"] = 1
        replica.pause()
        with (
            pytest.raises(OutcomeUnknown, match=r'none of the replicas had it within 0\.3 seconds.*"replicated" needs 1') as raised,
            storage.transaction(),
        ):
            storage.gold["ann"] = 2
        assert "\n" not in str(raised.value)
        assert "nothing was changed" not in str(raised.value)
        with pytest.raises(StorageError, match="none of the replicas") as again:
            storage.gold["bob"] = 1
        assert "nothing was changed" not in str(again.value)
        succeeded, message = engine.set_value("bob", 1)
        assert (succeeded, "nothing was changed" in message) == (False, False)
        assert "none of the replicas" in str(engine.problem)
        replica.resume()
        wait_for(lambda: reads(storage, "ann") == 2, 10)
        storage.gold["ann"] = 3
        assert engine.problem is None
        with replica.raw() as raw:
            assert raw.hget(f"mooring:{{service_1.channel_{channel}}}:gold", "ann") == b"3"


def reads(storage: MoobiusStorage, key: str) -> Any:
    try:
        with storage.transaction():
            return storage.gold.get(key)
    except StorageError:
        return None


async def test_turns_that_overlap_wait_too(servers: tuple[Server, Server], replica: Server, channel: str) -> None:
    with opened(servers[0].port, channel, REPLICATED) as storage:
        assert await row_of(storage, 20) == [None] * 20
        replica.pause()
        failures = await row_of(storage, 5)
        assert failures[0] is OutcomeUnknown
        assert set(failures) <= {OutcomeUnknown, PredecessorFailed}
        replica.resume()
        await asyncio.to_thread(wait_for, lambda: reads(storage, "total") is not None, 10)
        assert await row_of(storage, 5) == [None] * 5


async def row_of(storage: MoobiusStorage, count: int) -> list[type[BaseException] | None]:
    """How as many transactions end that begin one after the other."""
    outcomes = []
    for _ in range(count):
        async with storage.transaction(overlap=True) as transaction:
            storage.gold["total"] = storage.gold.get("total", 0) + 1
        assert transaction.outcome is not None
        outcomes.append(transaction.outcome)
    for outcome in outcomes:
        await outcome.end()
    errors = [outcome.exception() for outcome in outcomes]
    return [None if error is None else type(error) for error in errors]


def test_a_commit_that_is_sent_again_waits_for_what_was_written_the_first_time(servers: tuple[Server, Server], replica: Server, channel: str) -> None:
    """On a new connection nothing was written yet, and WAIT goes by what its connection wrote."""
    with closing(RedisDatabase(f"service_1.channel_{channel}.gold", port=servers[0].port, timeout=2.0, **REPLICATED)) as engine:
        engine.set_value("ann", 1)
        client, seen = engine._client, engine._channel
        number = int(seen.position.newest.rpartition(b":")[2]) if seen.position else 0
        again = Request(
            COMMIT,
            [seen.record, seen.last_commit, seen.stream, seen.turn],
            ["*", client.process, number, 60, "", "", 10, 10, 1000, 1, 0, "", "", "", 1],
        )
        assert client.run_all([again])[0][0] == b"done"
        replica.pause()
        with servers[0].raw() as raw:
            raw.set("noise", 1)
        client._connections.close()
        client._connections._closed = False  # type: ignore[attr-defined]
        (answer,) = client.run_all([again])
        assert "none of the replicas" in str(answer)


@pytest.mark.parametrize("follows", [True, False])
def test_what_others_commit_shows_when_the_replica_has_it(servers: tuple[Server, Server], replica: Server, channel: str, *, follows: bool) -> None:
    port = servers[0].port
    with opened(port, channel, REPLICATED) as one, opened(port, channel, PLAIN, 1) as hasty:
        if follows:
            one.follow(lambda: None)
        hasty.gold["ann"] = 1
        wait_for(lambda: reads(one, "ann") == 1)
        replica.pause()
        hasty.gold["ann"] = 2
        for _ in range(3):
            with pytest.raises(StorageError), one.transaction():
                one.gold["seen"] = one.gold["ann"]
            with suppress(StorageError):  # where nobody follows it is asked for
                assert one.gold["ann"] == 1
        if follows:
            wait_for(lambda: "none of the replicas" in str(one.gold.database.problem), 10)
        replica.resume()
        wait_for(lambda: reads(one, "ann") == 2, 10)
        wait_for(lambda: commits(one), 10)


def commits(storage: MoobiusStorage) -> bool:
    try:
        storage.notes["x"] = 1
    except StorageError:
        return False
    return True


def test_a_conflict_is_told_when_the_replica_has_what_was_first(servers: tuple[Server, Server], channel: str) -> None:
    port = servers[0].port
    with opened(port, channel, REPLICATED) as one, opened(port, channel, PLAIN, 1) as other:
        one.gold["ann"] = 1
        with pytest.raises(VersionConflict), one.transaction():
            one.gold["ann"] += 1
            other.notes["x"] = 1
        one.gold["ann"] = 5
        assert (one.gold["ann"], one.notes["x"]) == (5, 1)


def test_a_start_without_replicas_is_one_line(server: Server, channel: str) -> None:
    with pytest.raises(StorageError, match=rf"Redis at 127\.0\.0\.1:{server.port} has done it, and none of the replicas.*needs 2") as raised:
        opened(server.port, channel, REPLICATED, acknowledge_replicas=2)
    assert "\n" not in str(raised.value)


def test_a_start_without_the_right_is_one_line(servers: tuple[Server, Server], channel: str) -> None:
    with servers[0].raw() as raw:
        raw.execute_command("ACL SETUSER", "waitless", "on", ">pw", "~*", "+@all", "-wait")
        with pytest.raises(StorageError, match=r"'?wait'?.*docs/scaling\.md"):
            opened(servers[0].port, channel, REPLICATED, username="waitless", password="pw")


def _is_set(engine: RedisDatabase) -> bool:
    return engine.set_value("ann", 1) == (True, "ann")


def test_each_node_of_a_cluster_waits_for_its_own_replica(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        names = [f"channel {number}" for number in range(8)]
        for name in names:
            settings = {"url": cluster.url, "timeout": 2.0, **REPLICATED}
            with closing(RedisDatabase(f"service_1.channel_{name}.gold", **settings)) as engine:
                wait_for(partial(_is_set, engine), 20)  # a replica that has just come up may not answer within the first second
        for node in cluster.nodes[3:]:
            node.pause()
        for name in names[:3]:
            with closing(RedisDatabase(f"service_1.channel_{name}.gold", **settings)) as engine:
                assert re.search("none of the replicas", engine.set_value("ann", 1)[1])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"acknowledge": "replicate"}, "'primary' or 'replicated'"),
        ({"acknowledge": "replicated", "acknowledge_replicas": 0}, "acknowledge_replicas"),
        ({"acknowledge": "replicated", "acknowledge_timeout": 9.0}, "less than timeout"),
        ({"acknowledge_replicas": 2}, 'with "acknowledge": "replicated" alone'),
        ({"acknowledge_timeout": 0.5}, 'with "acknowledge": "replicated" alone'),
    ],
)
def test_settings_that_cannot_work_are_faults(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(StorageError, match=problem):
        opened(1, "x", settings)


def test_dicts_of_one_server_make_the_same_promise() -> None:
    entries = [
        {"implementation": "redis", "name": "gold", "settings": {"port": 1}},
        {"implementation": "redis", "name": "notes", "settings": {"port": 1, "acknowledge": "replicated"}},
        {"implementation": "redis", "name": "other", "settings": {"port": 2, "acknowledge": "replicated"}},
    ]
    with pytest.raises(ConfigError, match=r"notes, settings\.acknowledge: differs from that of gold") as raised:
        MoobiusStorage("1", "x", entries)
    assert len(raised.value.faults) == 1
