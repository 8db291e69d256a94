"""One connection pool per Redis server and login, shared by all engine objects of the process."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import NoScriptError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from storage.engine_support.committer import Committer
from storage.errors import StorageError, StorageUnavailable
from storage.redis.address import RedisAddress
from storage.redis.channel import RedisChannel
from storage.redis.cluster import Clustered
from storage.redis.committer import CommitSender
from storage.redis.connections import Connections, connect
from storage.redis.failures import Failures, Momentary, NoAnswer, Unanswered
from storage.redis.follower import RedisFollower
from storage.redis.scripts import Request, Script

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class RedisClient:
    """Sends commands, and tells every failure as a StorageError that names the server and never the password.

    Connects when the first command is sent. All methods may be called from several threads.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.address = address
        self._pid = os.getpid()
        self.process = uuid.uuid4().hex.encode()
        """By which the channels know this client's commits from those of others."""
        self._sender = CommitSender(self)
        self.committer = Committer(self._sender.step, "mooring-redis-commits", "the connection to Redis is closed")
        self.follower = RedisFollower(self)
        self._problem: str | None = None
        """Why the server could not be reached when it was asked last."""
        self._failures = Failures(address)
        self._connections: Connections = Clustered(address) if address.kind == "cluster" else connect(address)
        self._again = Retrying(
            retry=retry_if_exception_type(Momentary),
            stop=stop_after_delay(address.timeout),
            wait=wait_exponential(_FIRST_PAUSE, max=_LONGEST_PAUSE),
            reraise=True,
        )
        self._lock = threading.Lock()
        self._channels: dict[bytes, RedisChannel] = {}

    @property
    def problem(self) -> str | None:
        """What is wrong with the server or with the threads that work for it, None if all is well."""
        return self._problem or self._sender.problem or self.follower.problem

    def call(self, *command: Any) -> Any:
        """The answer to one command that may be sent twice without harm.

        Raises StorageUnavailable if the server cannot be reached, StorageError if it refuses the command.
        """
        return self.call_all([command])[0]

    def call_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to several such commands, in one round trip where all keys are on one server."""
        return self._patiently(lambda: self._exchange(commands))

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any:
        """The answer of a script that may be run twice without harm. Raises what `call` raises."""
        return self._patiently(lambda: self.run_all([Request(script, keys, arguments)]))[0]

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
            return self._channels.setdefault(prefix, RedisChannel(self, prefix))

    def close(self) -> None:
        """Drop the connections and end the threads."""
        self.follower.stop()
        self.committer.close()
        self._connections.close()

    def abandon(self) -> None:
        """In a forked child: connections and threads are the parent's."""

    def _patiently(self, ask: Callable[[], list[Any]]) -> list[Any]:
        """The answers, without errors among them. Asks again for as long as the server only needs a moment."""

        def asked() -> list[Any]:
            answers = ask()
            for answer in answers:
                if isinstance(answer, StorageError):
                    raise answer
            return answers

        try:
            return asked()
        except (Unanswered, Momentary):
            # The server may only have been restarted since the pooled connection was made.
            return self._again(asked)

    def _exchange(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """All answers, with a StorageError in the place of one that failed."""
        if os.getpid() != self._pid:
            raise StorageError("a forked child cannot use the Redis engines of its parent; make others there")
        try:
            answers = self._connections.exchange(commands)
        except Exception as error:  # noqa: BLE001 - whatever redis-py raises, whoever asked gets to know it as ours
            answers = [error if isinstance(error, NoAnswer) else NoAnswer(error)] * len(commands)
        is_well = True
        for place, answer in enumerate(answers):
            if isinstance(answer, Exception):
                answers[place] = failure = self._failures.of(answer)
                is_well &= not isinstance(failure, StorageUnavailable)
                self._problem = str(failure) if isinstance(failure, StorageUnavailable) else self._problem
        if is_well:
            self._problem = None
        return answers
