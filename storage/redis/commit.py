"""One commit to a channel in Redis, from its first sending to its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.database_interface import Origin
from storage.errors import CommitFailed, OutcomeUnknown, PredecessorFailed, StorageError, StorageUnavailable, VersionConflict
from storage.outcome import Outcome
from storage.redis.channel import RedisChannel
from storage.redis.failures import Momentary, Unanswered, Unreplicated
from storage.redis.history import Position
from storage.redis.resync import mend, resync
from storage.redis.scripts import ANY, Request, joined
from storage.redis.wire import Fields, pack

_MOST_CHANGES = 1_000_000
"""A script holds up everybody else on the server for as long as it runs."""

_BRIEF = 0.25
"""Seconds for which a server that did not take a commit is asked again: as long as a member would not notice."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_BUSY_PAUSE = 0.001
_MOST_MENDED = 3
_NOBODY = Origin()


@dataclass(frozen=True)
class Committed:
    """The channel's version after a commit, and how many keys it removed."""

    version: int
    removed: int


class Commit:
    """Whoever sends it holds the channel's lock, calls `prepare`, sends the `request`, and `take`s the answer, until it is `done`.

    `changes` set and (with None) delete fields of the dicts of these names. `base` is the moment of the channel on which they were built,
    `after` another commit of ours that is on its way and on which they were built; without both they are right whatever others commit.
    `patience` is how long, in seconds, an answer that got lost is asked for, and a server that only needs a moment is waited for.
    `joint` are commits to other channels of the same server that are made with this one or not at all, and have none of their own; from
    `prepare` until it is done this one holds the locks of their channels.
    """

    def __init__(
        self,
        channel: RedisChannel,
        changes: Mapping[bytes, Fields],
        base: int | None = None,
        *,
        after: Commit | None = None,
        origin: Origin = _NOBODY,
        patience: float,
        joint: Sequence[Commit] = (),
    ) -> None:
        self.channel = channel
        self.done = False
        self.pause = 0.0
        """Seconds to wait before it is sent again."""
        self.outcome: Outcome | None = None
        self.request: Request | None = None
        self._changes = changes
        self._base = base
        self._after = after
        self._origin = origin
        self._joint = joint
        self._has_locks = not joint
        self._patience = patience
        self._took = None if base is None else time.monotonic() - channel.began
        self._name = b""
        self._predecessor = b""
        self._ending: Committed | StorageError | None = None
        self._packed = pack(changes)
        self._uncertain = False
        self._mended = 0
        self._failing_since = 0.0

    @property
    def failure(self) -> StorageError | None:
        return self._ending if isinstance(self._ending, StorageError) else None

    def prepare(self) -> None:
        """Make the request, unless there is one already that may have reached the server; may end the commit.

        There is none afterwards either if another channel that it needs is in use; then it is tried again after a `pause`.
        """
        if not self._has_locks and not self._take_locks():
            self._again(_BUSY_PAUSE)
            return
        was_made = self.request is not None
        self._prepare()
        if self._joint and self.request is not None and not was_made:
            self._join(self.request)

    def _prepare(self) -> None:
        if self._after is not None and self._after.failure is not None:
            self._end(PredecessorFailed.after(self._after.failure))
        elif self._base is not None and self._base != self.channel.moment and not self._uncertain:
            self._refuse("another process committed first")
        elif self.request is None:
            self._predecessor = self._named_predecessor()
            self._name = self.channel.next_name()
            self.request = self.channel.request(
                self._predecessor, list(self._changes), self._packed, self._origin, is_first=self._after is None or self._after.done
            )

    def result(self) -> Committed:
        """Raises CommitFailed or one of its kinds."""
        if isinstance(self._ending, Committed):
            return self._ending
        raise self._ending if self._ending is not None else CommitFailed("the commit was not sent; nothing was changed")

    def lose(self, reason: str) -> None:
        """Give it up, with its outcome unknown."""
        self._outcome_unknown()
        self._end(OutcomeUnknown(reason))

    def take(self, answer: Any) -> None:
        """An answer of the server, or the error in its place."""
        if self._joint and isinstance(answer, list):
            answer = self._take_joint(*answer)
        is_done = isinstance(answer, list) and answer[0] == b"done"
        if self._after is not None and self._after.failure is not None:
            if is_done or isinstance(answer, Unanswered):
                self._outcome_unknown()
            self._end(PredecessorFailed.after(self._after.failure))
        elif self._after is not None and not self._after.done and not is_done:
            # That one has to be sent once more, so this one has, too; whatever the server said of it was no answer.
            self._uncertain |= isinstance(answer, Unanswered)
            self._again(0)
        elif isinstance(answer, StorageUnavailable):
            self._missing(answer)
        elif isinstance(answer, StorageError) and self._uncertain:
            self.lose(f"{answer}; whether the commit was made shows when the server can be used again")
        elif isinstance(answer, StorageError):
            self._end(CommitFailed(f"{answer}; nothing was changed"))
        else:
            self._answered(*answer)

    def _named_predecessor(self) -> bytes:
        if self._after is not None:
            return self._after._name
        position = self.channel.position
        return ANY if self._base is None or position is None else position.newest

    def _answered(self, outcome: bytes, *details: Any) -> None:
        match outcome:
            case b"done":
                self._made(*details)
            case b"ready":
                self._joint_refused()
            case b"conflict":
                self._came_too_late(*details)
            case b"turn":
                self.channel.turns.over()
                self._refuse("another process has its turn")
            case b"late":  # a later number of ours was quicker, when this one was not taken
                self._again(0)
            case b"broken":
                self._mend()
            case b"occupied":
                key = (self.channel.prefix + list(self._changes)[details[0] - 1]).decode(errors="backslashreplace")
                self._end(CommitFailed(f"the Redis key {key} holds something that is not a dict of ours; nothing was changed"))
            case b"forbidden":
                command, key = (part.decode(errors="backslashreplace") for part in details)
                told = f"the user of this connection may not {command} {key}; nothing was changed. docs/scaling.md has the rights that it needs"
                self._end(CommitFailed(told))
            case _:
                raise ValueError(outcome)

    def _made(self, version: int, removed: int, epoch: bytes, before: bytes | None, newest: bytes | None) -> None:
        if newest is not None and newest != self._name:
            self.channel.committed_nothing(newest)
        else:
            known_before = before if before is not None or self._predecessor == ANY else self._predecessor
            self.channel.committed(Position(int(epoch), version, self._name), known_before, self._changes, self._origin)
        self._end(Committed(version, removed))

    def _came_too_late(self, version: int, entries: Any) -> None:
        if not self.channel.came_too_late(version, entries):
            try:
                resync(self.channel)
                self.channel.notify()
            except StorageError:
                self.channel.lose_track()
        self._refuse("another process committed first")

    def _refuse(self, reason: str) -> None:
        self.channel.turns.came_too_late(self._took)
        self._end(VersionConflict(f"{reason}; nothing was changed"))

    def _mend(self) -> None:
        self._mended += 1
        if self._mended > _MOST_MENDED:
            record = self.channel.record.decode(errors="backslashreplace")
            self._end(CommitFailed(f"{record} and its stream do not fit together, also after they were mended; nothing was changed"))
            return
        try:
            mend(self.channel)
        except StorageError as error:
            self.take(error)
        else:
            self._again(0)

    def _missing(self, error: StorageUnavailable) -> None:
        """No answer, or none yet. It is sent again with the same number, which the server applies once."""
        if isinstance(error, Unreplicated):
            self.lose(f"{error}; whether the commit stays shows when they have caught up")
            return
        now = time.monotonic()
        if not self._failing_since or (isinstance(error, Unanswered) and not self._uncertain):
            self._failing_since = now
        self._uncertain |= isinstance(error, Unanswered)
        patience = self._patience if self._uncertain or isinstance(error, Momentary) else _BRIEF
        left = self._failing_since + patience - now
        if left > 0:
            self._again(min(max(2 * self.pause, _FIRST_PAUSE), _LONGEST_PAUSE, left))
        elif self._uncertain:
            self.lose(f"{error}; whether the commit was made shows when it is back")
        else:
            self._end(StorageUnavailable(f"{error}; nothing was changed"))

    def _again(self, pause: float) -> None:
        self.pause = pause
        if not self._uncertain:
            self.request = None  # the server has not taken it; by now another number or predecessor may be right
            for part in self._joint:
                part.request = None

    # -- with commits to other channels --------------------------------------------------------------------------------

    def _join(self, own: Request) -> None:
        requests = [own]
        for part in self._joint:
            part._prepare()
            if part.failure is not None:
                self._end(part.failure)
                return
            requests += [] if part.request is None else [part.request]
        self.request = joined(requests)

    def _take_locks(self) -> bool:
        """Without waiting, as others wait meanwhile that want nothing of these channels."""
        taken: list[Commit] = []
        for part in self._joint:
            if not part.channel.lock.acquire(blocking=False):
                for other in taken:
                    other.channel.lock.release()
                return False
            taken.append(part)
        self._has_locks = True
        return True

    def _take_joint(self, own: list[Any], *answers: list[Any]) -> list[Any]:
        """Let the others have their answers, if all were made or one of them was the reason why none was; the result is our own answer."""
        is_made = own[0] == b"done"
        for part, answer in zip(self._joint, answers, strict=True):
            if is_made or (own[0] == b"ready" and answer[0] != b"ready"):
                part.take(answer)
        return own

    def _joint_refused(self) -> None:
        """Another one cannot be made, or has to be sent once more, and this one with it."""
        failure = next((part.failure for part in self._joint if part.failure is not None), None)
        if failure is not None:
            self._end(failure)
        else:
            self._again(0)

    def _outcome_unknown(self) -> None:
        for commit in (self, *self._joint):
            commit.channel.outcome_unknown()

    def _end(self, ending: Committed | StorageError) -> None:
        self.done = True
        if self._joint and self._has_locks:
            self._has_locks = False
            for part in self._joint:
                part.channel.lock.release()
        self._after = None  # otherwise each would keep all before it
        self._ending = ending


def refuse_too_many(changes: Mapping[bytes, Fields]) -> None:
    """Raises CommitFailed."""
    if sum(map(len, changes.values())) > _MOST_CHANGES:
        raise CommitFailed(f"one commit to Redis takes at most {_MOST_CHANGES:,} changes; nothing was changed, split it")
