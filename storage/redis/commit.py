"""One commit to a channel in Redis, from its first sending to its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.errors import CommitFailed, OutcomeUnknown, StorageError, StorageUnavailable, VersionConflict
from storage.outcome import Outcome
from storage.redis.channel import ANY_VERSION, RedisChannel
from storage.redis.failures import Momentary, Unanswered
from storage.redis.scripts import Request
from storage.redis.wire import Fields, pack

_MOST_CHANGES = 1_000_000
"""A script holds up everybody else on the server for as long as it runs."""

_BRIEF = 0.25
"""Seconds for which a server that did not take a commit is asked again: as long as a member would not notice."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_TURN_PAUSE = 0.002


@dataclass(frozen=True)
class Committed:
    """The channel's version after a commit, and how many keys it removed."""

    version: int
    removed: int


class Commit:
    """Whoever sends it holds the channel's lock, and calls `begin`, then `take` with each answer until it is `done`.

    `changes` set and (with None) delete fields of the dicts of these names. `patience` is how long, in seconds, an answer that
    got lost is asked for, and a server that only needs a moment is waited for.
    """

    def __init__(self, channel: RedisChannel, changes: Mapping[bytes, Fields], expected: int = ANY_VERSION, *, patience: float) -> None:
        self.channel = channel
        self.done = False
        self.pause = 0.0
        """Seconds to wait before it is sent again."""
        self.outcome: Outcome | None = None
        self._changes = changes
        self._expected = expected
        self._patience = patience
        self._outcome: Committed | StorageError | None = None
        self._packed = pack(changes)
        self._uncertain = False
        self._failing_since = 0.0
        self.request: Request | None = None

    def begin(self) -> Request:
        """What to send."""
        self.request = self.channel.next_request(self._expected, list(self._changes), self._packed)
        return self.request

    def result(self) -> Committed:
        """Raises CommitFailed or one of its kinds."""
        if isinstance(self._outcome, Committed):
            return self._outcome
        raise self._outcome if self._outcome is not None else CommitFailed("the commit was not sent; nothing was changed")

    def lose(self, reason: str) -> None:
        """Give it up, with its outcome unknown."""
        self.channel.outcome_unknown()
        self._end(OutcomeUnknown(reason))

    def take(self, answer: Any) -> None:
        """An answer of the server, or the error in its place."""
        if isinstance(answer, StorageUnavailable):
            self._missing(answer)
        elif isinstance(answer, StorageError):
            self._end(CommitFailed(f"{answer}; nothing was changed"))
        else:
            self._answered(*answer)

    def _answered(self, outcome: bytes, version: int, detail: Any) -> None:
        if outcome == b"done":
            self.channel.committed(version, self._changes)
            self._end(Committed(version, detail))
        elif outcome == b"conflict":
            self.channel.came_too_late(version, detail)
            self._end(VersionConflict(f"another process committed first: version {version} instead of {self._expected}; nothing was changed"))
        elif outcome == b"wait":
            self.pause = min(_TURN_PAUSE, max(detail, 1) / 1000)
        elif outcome == b"occupied":
            key = (self.channel.prefix + list(self._changes)[detail - 1]).decode(errors="backslashreplace")
            self._end(CommitFailed(f"the Redis key {key} holds something that is not a dict of ours; nothing was changed"))
        else:
            told = detail.decode(errors="replace") if isinstance(detail, bytes) else "it was given up"
            self._end(CommitFailed(f"the server refused the commit at version {version}: {told}; nothing was changed"))

    def _missing(self, error: StorageUnavailable) -> None:
        """No answer, or none yet. It is sent again with the same number, which the server applies once."""
        now = time.monotonic()
        if not self._failing_since or (isinstance(error, Unanswered) and not self._uncertain):
            self._failing_since = now
        self._uncertain |= isinstance(error, Unanswered)
        patience = self._patience if self._uncertain or isinstance(error, Momentary) else _BRIEF
        left = self._failing_since + patience - now
        if left > 0:
            self.pause = min(max(2 * self.pause, _FIRST_PAUSE), _LONGEST_PAUSE, left)
        elif self._uncertain:
            self.lose(f"{error}; whether the commit was made shows when it is back")
        else:
            self._end(StorageUnavailable(f"{error}; nothing was changed"))

    def _end(self, outcome: Committed | StorageError) -> None:
        self.done = True
        self._outcome = outcome


def refuse_too_many(changes: Mapping[bytes, Fields]) -> None:
    """Raises CommitFailed."""
    if sum(map(len, changes.values())) > _MOST_CHANGES:
        raise CommitFailed(f"one commit to Redis takes at most {_MOST_CHANGES:,} changes; nothing was changed, split it")
