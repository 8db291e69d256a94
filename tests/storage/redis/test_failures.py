"""Whatever goes wrong between us and a server is told as one of our errors, and the threads that work for it go on."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis
import redis.exceptions
import redis.sentinel

from storage import MoobiusStorage, StorageError, StorageUnavailable
from storage.database_interface import DomainChanges, Origin
from storage.errors import CommitFailed
from storage.redis.address import RedisAddress
from storage.redis.client import RedisClient
from storage.redis.commit import Commit
from storage.redis.committer import commit_now
from storage.redis.database import RedisDatabase
from storage.redis.failures import NoAnswer, NotSent
from storage.redis.resync import catch_up
from tests.shared.servers_for_tests import Server
from tests.waiting_for_tests import wait_for

pytestmark = pytest.mark.redis
DOMAIN = "service_1.channel_tavern.health_bars"
NOBODY = Origin()


def every_exception() -> list[type[Exception]]:
    """All that redis-py has, of whatever ancestry, and what sockets and the code around them may raise."""
    modules = (redis.exceptions, redis.sentinel)
    theirs = {kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)}
    others = {OSError, TimeoutError, socket.gaierror, ssl.SSLError, ssl.SSLCertVerificationError, EOFError}
    faults = {KeyError, AttributeError, IndexError, RuntimeError, RecursionError, MemoryError}
    return sorted(theirs | others | faults, key=lambda kind: kind.__qualname__)


def made(kind: type[Exception]) -> Exception:
    return kind("1 hunter2:1")


class Failing:
    """In the place of the connections: what goes wrong, in each of the ways in which it can."""

    def __init__(self, error: Exception, *, is_answer: bool = False) -> None:
        self._error = error
        self._is_answer = is_answer

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if self._is_answer:
            return [self._error] * len(commands)
        raise self._error

    def close(self) -> None:
        pass


@contextmanager
def client_over(connections: Any) -> Iterator[RedisClient]:
    with closing(RedisClient(RedisAddress((("tavern.example", 7000),), password="hunter2", timeout=0.01))) as client:
        client._connections = connections
        yield client


@pytest.mark.parametrize("kind", every_exception(), ids=lambda kind: kind.__qualname__)
@pytest.mark.parametrize("way", ["raised", "unanswered", "not sent", "answered"])
def test_every_exception_becomes_one_of_ours(kind: type[Exception], way: str) -> None:
    error = made(kind)
    ways: dict[str, Any] = {
        "raised": Failing(error),
        "unanswered": Failing(NoAnswer(error)),
        "not sent": Failing(NotSent(error)),
        "answered": Failing(error, is_answer=True),
    }
    with client_over(ways[way]) as client:
        asked: list[Callable[[], object]] = [
            lambda: client.call("GET", "x"),
            lambda: commit_now(client, Commit(client.channel(b"x"), {b"": {b"a": b"1"}}, patience=0.01)),
            lambda: catch_up(client.channel(b"y")),
        ]
        for ask in asked:
            with pytest.raises(StorageError, match=r"tavern\.example:7000") as raised:
                ask()
            assert "hunter2" not in str(raised.value)
            assert "\n" not in str(raised.value)


# -- the threads ---------------------------------------------------------------------------------------------------------


def engine_on(server: Server, **settings: Any) -> closing[RedisDatabase]:
    return closing(RedisDatabase(DOMAIN, port=server.port, **settings))


async def commit(engine: RedisDatabase, key: str, text: bytes) -> None:
    await engine.commit_batch_async([DomainChanges(engine, [(key, text)])], NOBODY, sync=True)


async def test_the_thread_of_the_commits_outlives_whatever_happens_to_it(server: Server) -> None:
    with engine_on(server, timeout=0.5) as engine:
        await commit(engine, "ann", b"1")
        well = engine._client._connections
        for error in (redis.exceptions.RedisClusterException("no node"), RuntimeError("a bug"), OSError("a wire")):
            engine._client._connections = Failing(error)
            with pytest.raises(StorageUnavailable):
                await commit(engine, "ann", b"2")
            assert str(error) in str(engine.problem)
            engine._client._connections = well
            await commit(engine, "ann", b"3")
            assert engine.problem is None
        assert engine.get_value("ann") == (True, 3)


async def test_a_fault_of_our_own_costs_the_commit_in_hand_and_no_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine_on(server) as engine:
        with monkeypatch.context() as patch:
            patch.setattr(Commit, "prepare", lambda commit: 1 / 0)
            with pytest.raises(CommitFailed, match="division by zero"):
                await asyncio.wait_for(commit(engine, "ann", b"1"), 5)
            assert "division by zero" in str(engine.problem)
        await asyncio.wait_for(commit(engine, "ann", b"2"), 5)
        assert engine.problem is None
        assert engine.get_value("ann") == (True, 2)


def test_a_follower_outlives_whatever_happens_to_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, other = ({"implementation": "redis", "name": "health", "settings": {"port": server.port, "timeout": seconds}} for seconds in (5.0, 4.0))
    with MoobiusStorage("1", "tavern", entry) as one, MoobiusStorage("1", "tavern", other) as writing:
        engine = one.health.database
        assert isinstance(engine, RedisDatabase)
        one.follow(lambda: None)
        writing.health["ann"] = 1
        wait_for(lambda: one.health.get("ann") == 1)
        with monkeypatch.context() as patch:
            patch.setattr(engine._channel, "feed", lambda entries: 1 / 0)
            writing.health["ann"] = 2
            wait_for(lambda: "division by zero" in str(engine.problem))
        wait_for(lambda: one.health.get("ann") == 2)
        wait_for(lambda: engine.problem is None)


# -- what a server answers -----------------------------------------------------------------------------------------------


def is_refused(engine: RedisDatabase, word: str) -> None:
    """A commit is refused with this word, and nothing of it is there."""
    before = engine.load_all()
    with pytest.raises(CommitFailed, match=word):
        engine.commit_batch([DomainChanges(engine, [("ann", b"99"), ("new", b"1")])], NOBODY, sync=True)
    assert engine.load_all() == before


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"maxmemory": "1"}, "OutOfMemory"),
        ({"min-replicas-to-write": "1"}, "NOREPLICAS"),
    ],
)
def test_a_server_that_will_not_write_is_told_and_forgotten_when_it_does(server: Server, settings: dict[str, str], word: str) -> None:
    with engine_on(server) as engine, server.raw() as raw:
        engine.set_value("ann", 1)
        for name, value in settings.items():
            raw.config_set(name, value)
        is_refused(engine, word)
        assert engine.get_value("ann") == (True, 1), "it reads all the same"
        for name in settings:
            raw.config_set(name, "0")
        assert engine.set_value("ann", 2) == (True, "ann")
        assert engine.problem is None


def test_a_server_that_cannot_save_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("unsaved")
    with Server(folder, "--save", "3600 1", "--enable-protected-configs", "yes") as server, engine_on(server) as engine, server.raw() as raw:
        engine.set_value("ann", 1)
        (folder / "a folder").mkdir()
        raw.config_set("dbfilename", "a folder")
        raw.bgsave()
        wait_for(lambda: raw.info("persistence")["rdb_last_bgsave_status"] == "err")
        is_refused(engine, "MISCONF")


def test_a_primary_that_became_a_replica_is_told_and_used_again_when_it_is_one_no_more(server: Server) -> None:
    with engine_on(server) as engine, server.raw() as raw:
        engine.set_value("ann", 1)
        raw.replicaof("127.0.0.1", 1)
        is_refused(engine, "ReadOnly")
        raw.replicaof("NO", "ONE")
        assert engine.set_value("ann", 2) == (True, "ann")


def test_a_server_that_is_held_up_by_a_script_is_waited_for(server: Server) -> None:
    with engine_on(server) as engine, server.raw() as raw:
        engine.set_value("ann", 1)
        raw.config_set("lua-time-limit", "50")
        with held_up(server, 0.8):
            assert engine.set_value("ann", 2) == (True, "ann")
        with held_up(server, 0.8):
            assert engine.get_value("ann") == (True, 2)
            assert engine.load_all() == {"ann": b"2"}


@contextmanager
def held_up(server: Server, seconds: float) -> Iterator[None]:
    """The server is in somebody's script, and says so to all others."""
    script = "local function now() local t = redis.call('TIME'); return t[1] + t[2] / 1e6 end; local e = now() + ARGV[1]; while now() < e do end"

    def hold() -> None:
        with server.raw() as raw:
            raw.eval(script, 0, seconds)

    thread = threading.Thread(target=hold)
    thread.start()
    with server.raw() as raw:
        wait_for(lambda: is_busy(raw))
    yield
    thread.join()


def is_busy(raw: Any) -> bool:
    try:
        raw.get("x")
    except redis.ResponseError as error:
        return "BUSY" in str(error)
    time.sleep(0.01)
    return False
