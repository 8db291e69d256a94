"""The ways to one server, to the primary that sentinels name, and to the nodes of a cluster.

Commands are packed and answers read on the connection itself: what redis-py does around that for each command costs more
than our whole request, and it retries what must not be retried without a thought.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from storage.redis.address import RedisAddress

HEALTH_CHECK_SECONDS = 15
_MOST_MOVES = 5
"""How often a command follows a slot that moves between the nodes of a cluster."""


class NotSent(Exception):
    """There was no connection on which to send; so the server has certainly not seen the request."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(str(cause))


class Connections(Protocol):
    """The answers of a server to commands. Thread-safe."""

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """All answers; errors of single commands are among them. Raises NotSent, and redis-py's errors if the connection failed."""

    def close(self) -> None: ...


class Pooled:
    """One server, or the one that is the primary now. Its connections are made by a pool of redis-py, and kept here."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._pool: Any = pool
        self._idle: list[Any] = []
        self._closed = False

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        connection = self._take()
        try:
            connection.send_packed_command([b"".join(map(_packed, commands))])
            answers = [_answer(connection) for _ in commands]
        except BaseException:
            # Whatever is still on its way there must not be taken for the answer to the next command.
            connection.disconnect()
            raise
        self._idle.append(connection)
        if self._closed:
            self.close()
        return answers

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().disconnect()

    def _take(self) -> Any:
        """A connection on which nothing waits: what the server said unasked is that it closes."""
        try:
            while self._idle:
                connection = self._idle.pop()
                if not _is_readable(connection):
                    return connection
                connection.disconnect()
            connection = self._pool.make_connection()
            connection.connect()
        except (RedisError, OSError) as error:
            raise NotSent(error) from error
        return connection


class Clustered:
    """The nodes of a cluster; the commands for one node are sent together."""

    def __init__(self, address: RedisAddress) -> None:
        node: Any = ClusterNode
        nodes = [node(host, port) for host, port in address.hosts]
        self._cluster: Any = RedisCluster(startup_nodes=nodes, **_login(address))
        self._pools: dict[str, Pooled] = {}

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        answers: list[Any] = [None] * len(commands)
        waiting = list(range(len(commands)))
        for _ in range(_MOST_MOVES):
            waiting = self._ask(commands, waiting, answers)
            if not waiting:
                break
            self._find_nodes()
        return answers

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._cluster.close()

    def _pool(self, node: Any) -> Pooled:
        pool = self._pools.get(node.name)
        if pool is None:
            pool = self._pools.setdefault(node.name, Pooled(self._cluster.get_redis_connection(node).connection_pool))
        return pool

    def _ask(self, commands: Sequence[Sequence[Any]], places: Sequence[int], answers: list[Any]) -> list[int]:
        """Fills in the answers, and returns the places of those commands that another node has to answer."""
        by_node: dict[Any, list[int]] = {}
        for place in places:
            by_node.setdefault(self._node(commands[place]), []).append(place)
        moved = []
        for node, mine in by_node.items():
            try:
                found = self._pool(node).exchange([commands[place] for place in mine])
            except (NotSent, redis.ConnectionError, redis.TimeoutError, OSError):
                # Perhaps a replica has its place by now; whoever asked may ask again.
                self._cluster.nodes_manager.reset()
                with suppress(RedisError, OSError):
                    self._find_nodes()
                raise
            for place, answer in zip(mine, found, strict=True):
                answers[place] = answer
                if isinstance(answer, MovedError | AskError):
                    moved.append(place)
        return moved

    def _node(self, command: Sequence[Any]) -> Any:
        key = command[3] if command[0] in {"EVAL", "EVALSHA"} else command[1]
        try:
            return self._cluster.nodes_manager.get_node_from_slot(key_slot(self._cluster.encoder.encode(key)))
        except RedisError as error:
            raise NotSent(error) from error

    def _find_nodes(self) -> None:
        self._cluster.nodes_manager.initialize()


def connect(address: RedisAddress) -> Connections:
    """Connections to what the address names; a cluster is asked for its nodes at once. Raises redis-py's errors."""
    if address.kind == "cluster":
        return Clustered(address)
    login = _login(address)
    if address.kind == "sentinel":
        own = {name: value for name, value in login.items() if name.startswith("socket")}
        sentinels: Any = Sentinel
        sentinel = sentinels(list(address.hosts), sentinel_kwargs={**own, "password": address.sentinel_password}, **login)
        pool: Any = sentinel.master_for(address.service, db=address.db).connection_pool
    elif address.kind == "unix":
        pool = redis.Redis(unix_socket_path=address.service, db=address.db, **login).connection_pool
    else:
        ((host, port),) = address.hosts
        pool = redis.Redis(host=host, port=port, db=address.db, **login).connection_pool
    return Pooled(pool)


def _login(address: RedisAddress) -> dict[str, Any]:
    login: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "socket_connect_timeout": address.connect_timeout,
        "socket_timeout": address.timeout,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "protocol": 2,
    }
    if address.kind != "cluster":
        login["retry"] = Retry(NoBackoff(), 0)  # the caller knows what may be sent twice
    if address.tls is not None:
        tls = address.tls
        login |= {"ssl": True, "ssl_ca_certs": tls.ca_file or None, "ssl_certfile": tls.cert_file or None, "ssl_keyfile": tls.key_file or None}
    return login


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _packed(command: Sequence[Any]) -> bytes:
    name, *arguments = command
    words = (*str(name).split(), *arguments)  # `MEMORY USAGE` is two words of the protocol, and one command to a cluster
    parts = [b"*%d\r\n" % len(words)]
    for part in words:
        text = part if type(part) is bytes else str(part).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


def _is_readable(connection: Any) -> bool:
    socket = connection._sock
    if socket is None:
        return False  # it connects when it is used
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
