"""One connection pool per Redis server and login, shared by all engine objects of the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, NoScriptError, ReadOnlyError, RedisError, TryAgainError
from redis.retry import Retry

from storage.errors import StorageError, StorageUnavailable
from storage.redis_commit import ChannelCommits, Script, SharedDomain

_TRANSIENT = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, ClusterDownError, TryAgainError, OSError)


@dataclass(frozen=True)
class RedisAddress:
    """Where the server is and who asks; equal addresses share one client."""

    host: str
    port: int
    db: int
    username: str | None
    password: str | None = field(repr=False)
    connect_timeout: float
    timeout: float


class RedisClient:
    """Sends commands, and tells every failure as a StorageError that names the server and never the password.

    Connects when the first command is sent. All methods may be called from several threads.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._redis = redis.Redis(
            host=address.host,
            port=address.port,
            db=address.db,
            username=address.username,
            password=address.password,
            socket_connect_timeout=address.connect_timeout,
            socket_timeout=address.timeout,
            retry=Retry(NoBackoff(), 0),  # `call` knows better what may be sent twice
        )
        self._execute: Callable[..., Any] = self._redis.execute_command
        self._lock = threading.Lock()
        self._channels: dict[bytes, ChannelCommits] = {}
        self._domains: dict[str, SharedDomain] = {}

    def call(self, *command: Any) -> Any:
        """The answer to one command that may be sent twice without harm.

        Raises StorageUnavailable if the server cannot be reached, StorageError if it refuses the command.
        """
        try:
            try:
                return self._execute(*command)
            except redis.ConnectionError:
                # The server may only have been restarted since the pooled connection was made.
                return self._execute(*command)
        except _TRANSIENT as error:
            raise StorageUnavailable(self._told(error, "is not available")) from error
        except (RedisError, UnicodeError) as error:
            raise StorageError(self._told(error, "refused the request")) from error

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any:
        """The answer of a script that may be run twice without harm; raises what `call` raises."""
        try:
            return self.call("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except StorageError as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return self.call("EVAL", script.text, len(keys), *keys, *arguments)

    def channel(self, prefix: bytes) -> ChannelCommits:
        """The commits of the dicts whose keys start with the prefix."""
        with self._lock:
            return self._channels.setdefault(prefix, ChannelCommits(self, prefix))

    def domain(self, name: str) -> SharedDomain:
        """What all engine objects of the process that serve one domain share."""
        with self._lock:
            return self._domains.setdefault(name, SharedDomain())

    def close(self) -> None:
        """Drop the connections."""
        self._redis.close()

    def _told(self, error: Exception, what: str) -> str:
        text = f"Redis at {self._address.host}:{self._address.port} {what}: {type(error).__name__}: {error}"
        password = self._address.password
        return text.replace(password, "***") if password else text


class ClientRegistry:
    """Counts who uses which client; the last to let go closes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[RedisAddress, tuple[RedisClient, int]] = {}

    def acquire(self, address: RedisAddress) -> tuple[RedisClient, Callable[[], None]]:
        """The shared client, and what to call once when it is no longer needed."""
        with self._lock:
            client, users = self._clients.get(address) or (RedisClient(address), 0)
            self._clients[address] = (client, users + 1)
        return client, lambda: self._release(address)

    def _release(self, address: RedisAddress) -> None:
        with self._lock:
            client, users = self._clients.pop(address)
            if users > 1:
                self._clients[address] = (client, users - 1)
                return
        client.close()
