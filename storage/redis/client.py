"""One connection pool per Redis server and login, shared by all engine objects of the process."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import ClusterDownError, NoScriptError, ReadOnlyError, RedisError, ResponseError, TryAgainError

from storage.engine_support.committer import Committer
from storage.errors import StorageError, StorageUnavailable
from storage.redis.address import RedisAddress
from storage.redis.channel import RedisChannel
from storage.redis.commit import Unanswered
from storage.redis.committer import CommitSender
from storage.redis.connections import Connections, NotSent, connect
from storage.redis.follower import RedisFollower
from storage.redis.scripts import Request, Script

_TRANSIENT = (redis.ConnectionError, redis.TimeoutError, ReadOnlyError, ClusterDownError, TryAgainError, OSError)


class RedisClient:
    """Sends commands, and tells every failure as a StorageError that names the server and never the password.

    Connects when the first command is sent. All methods may be called from several threads.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self._pid = os.getpid()
        self.process = uuid.uuid4().hex.encode()
        """By which the channels know this client's commits from those of others."""
        self.problem: str | None = None
        """Why the server could not be reached when it was asked last."""
        self.committer = Committer(CommitSender(self).step, "mooring-redis-commits", "the connection to Redis is closed")
        self.follower = RedisFollower(self)
        self._connections: Connections | None = None
        self._lock = threading.Lock()
        self._channels: dict[bytes, RedisChannel] = {}

    def call(self, *command: Any) -> Any:
        """The answer to one command that may be sent twice without harm.

        Raises StorageUnavailable if the server cannot be reached, StorageError if it refuses the command.
        """
        return self.call_all([command])[0]

    def call_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to several such commands, in one round trip where all keys are on one server."""
        try:
            answers = self._exchange(commands)
        except Unanswered:
            # The server may only have been restarted since the pooled connection was made.
            answers = self._exchange(commands)
        for answer in answers:
            if isinstance(answer, StorageError):
                raise answer
        return answers

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any:
        """The answer of a script that may be run twice without harm. Raises what `call` raises, and Unanswered."""
        (answer,) = self.run_all([Request(script, keys, arguments)])
        if isinstance(answer, StorageError):
            raise answer
        return answer

    def run_all(self, requests: Sequence[Request]) -> list[Any]:
        """The answers of several scripts, sent together; a StorageError in the place of an answer that failed."""
        answers = self._exchange([request.by_digest() for request in requests])
        unknown = [place for place, answer in enumerate(answers) if isinstance(getattr(answer, "__cause__", None), NoScriptError)]
        if unknown:
            again = self._exchange([requests[place].in_full() for place in unknown])
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    def channel(self, prefix: bytes) -> RedisChannel:
        """What this process knows of the channel whose keys start with the prefix."""
        with self._lock:
            return self._channels.setdefault(prefix, RedisChannel(self, prefix, self.address.stream_length))

    def connections(self) -> Connections:
        """Raises StorageUnavailable if the nodes of a cluster cannot be found."""
        with self._lock:
            if self._connections is None:
                try:
                    self._connections = connect(self.address)
                except _TRANSIENT as error:
                    raise self.unavailable(error) from error
                except (RedisError, ValueError) as error:
                    raise StorageError(self._told(error, "refused the connection")) from error
            return self._connections

    def unavailable(self, error: Exception, kind: type[StorageUnavailable] = StorageUnavailable) -> StorageUnavailable:
        """The error to raise because of this one; notes the problem."""
        self.problem = self._told(error, "is not available")
        return kind(self.problem)

    def close(self) -> None:
        """Drop the connections and end the threads."""
        self.follower.stop()
        self.committer.close()
        with self._lock:
            if self._connections is not None:
                self._connections.close()

    def abandon(self) -> None:
        """In a forked child: connections and threads are the parent's."""

    def _exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if os.getpid() != self._pid:
            raise StorageError("a forked child cannot use the Redis engines of its parent; make others there")
        try:
            answers = self.connections().exchange(commands)
        except NotSent as error:
            raise self.unavailable(error.cause) from error.cause
        except _TRANSIENT as error:
            raise self.unavailable(error, Unanswered) from error
        except (RedisError, UnicodeError) as error:
            raise StorageError(self._told(error, "refused the request")) from error
        self.problem = None
        return [self._checked(answer) for answer in answers]

    def _checked(self, answer: Any) -> Any:
        if not isinstance(answer, Exception):
            return answer
        transient = isinstance(answer, _TRANSIENT) or (isinstance(answer, ResponseError) and str(answer).startswith(("LOADING", "MASTERDOWN")))
        error: StorageError = self.unavailable(answer) if transient else StorageError(self._told(answer, "refused the request"))
        error.__cause__ = answer
        return error

    def _told(self, error: Exception, what: str) -> str:
        return self.address.without_secrets(f"Redis at {self.address.name} {what}: {type(error).__name__}: {error}")
