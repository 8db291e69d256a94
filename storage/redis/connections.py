"""The ways to one server, and to the primary that sentinels name.

Commands are packed and answers read on the connection itself: what redis-py does around that for each command costs more
than our whole request, and it retries what must not be retried without a thought.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any, Protocol

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel

from storage.redis.address import RedisAddress
from storage.redis.failures import NoAnswer, NotSent, TooFewReplicas, Unsuitable
from storage.redis.requirements import fault_of, read_info

_HEALTH_CHECK_SECONDS = 15


class Connections(Protocol):
    """The answers of a server to commands. Thread-safe."""

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """All answers; what went wrong with single commands is among them. Raises NoAnswer, or NotSent, if the connection failed."""

    def close(self) -> None: ...


class Pooled:
    """One server, or the one that is the primary now. Its connections are made by a pool of redis-py, and kept here."""

    def __init__(self, pool: redis.ConnectionPool, address: RedisAddress) -> None:
        self._pool: Any = pool
        self._replicas, self._patience = address.replicas, address.replicas_timeout
        self._idle: list[Any] = []
        self._closed = False

    def exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """All answers; that of a command which the replicas may not have yet, where they are to, is a NoAnswer."""
        if not self._replicas:
            return self.ask(commands)
        # On the same connection, as WAIT goes by what that has written; one for all commands that are sent together.
        *answers, reached = self.ask([*commands, ("WAIT", self._replicas, round(self._patience * 1000))])
        if isinstance(reached, int) and reached >= self._replicas:
            return answers
        failure = NoAnswer(TooFewReplicas(self._shortfall(reached)))
        return [answer if isinstance(answer, Exception) else failure for answer in answers]

    def ask(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """All answers, as soon as the server gives them."""
        connection = self._take()
        try:
            connection.send_packed_command([b"".join(map(_packed, commands))])
            answers = [_answer(connection) for _ in commands]
        except BaseException as error:
            # Whatever is still on its way there must not be taken for the answer to the next command.
            connection.disconnect()
            if isinstance(error, Exception):
                raise NoAnswer(error) from error
            raise
        self._idle.append(connection)
        if self._closed or any(isinstance(answer, ReadOnlyError) for answer in answers):
            self._disconnect()  # a replica by now: the name leads to another server when it is asked again
        return answers

    def close(self) -> None:
        self._closed = True
        self._disconnect()

    def _shortfall(self, reached: Any) -> str:
        if isinstance(reached, int):
            found = f"{reached or 'none'} of the replicas had it within {self._patience:g} seconds"
            return f'has done it, and {found}, where "acknowledge": "replicated" needs {self._replicas}'
        return f"may have done it, and cannot say whether its replicas have it: {reached}; docs/scaling.md has the rights that WAIT needs"

    def _disconnect(self) -> None:
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
            # Not by the pool's make_connection: that counts what it ever made and refuses more than a hundred, ended ones included.
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            connection.connect()
            _check_server(connection)
        except Exception as error:
            raise NotSent(error) from error
        return connection


def connect_to(host: str, port: int, address: RedisAddress) -> Pooled:
    """Connections to this server, with the login of the address. Nothing is sent yet."""
    return Pooled(redis.Redis(host=host, port=port, db=address.db, **login(address)).connection_pool, address)


def connect(address: RedisAddress) -> Pooled:
    """Connections to the one server that the address names. Nothing is sent yet."""
    if address.kind == "sentinel":
        own = {name: value for name, value in login(address).items() if name.startswith("socket")}
        sentinels: Any = Sentinel
        sentinel = sentinels(list(address.hosts), sentinel_kwargs={**own, "password": address.sentinel_password}, **login(address))
        return Pooled(sentinel.master_for(address.service, db=address.db).connection_pool, address)
    if address.kind == "unix":
        return Pooled(redis.Redis(unix_socket_path=address.service, db=address.db, **login(address)).connection_pool, address)
    ((host, port),) = address.hosts
    return connect_to(host, port, address)


def login(address: RedisAddress) -> dict[str, Any]:
    """What redis-py needs to know to get in."""
    found: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "socket_connect_timeout": address.connect_timeout,
        "socket_timeout": address.timeout,
        "socket_keepalive": True,
        "health_check_interval": _HEALTH_CHECK_SECONDS,
        "protocol": 2,
        "driver_info": None,  # it would take one more right, and Redis 7.0 does not know it
        "retry": Retry(NoBackoff(), 0),  # the caller knows what may be sent twice
    }
    if address.tls is not None:
        tls = address.tls
        found |= {"ssl": True, "ssl_ca_certs": tls.ca_file or None, "ssl_certfile": tls.cert_file or None, "ssl_keyfile": tls.key_file or None}
    return found


def _check_server(connection: Any) -> None:
    """Raises Unsuitable. Asked of each new connection, as it may lead to another server than the last one, after a failover."""
    connection.send_packed_command([_packed(("INFO",))])
    answer = _answer(connection)
    fault = fault_of(read_info(answer)) if isinstance(answer, bytes) else None  # who may not ask learns that with the rights
    if fault is not None:
        connection.disconnect()
        raise Unsuitable(fault)


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
