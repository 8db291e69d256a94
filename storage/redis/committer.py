"""Sending commits: at once for threads, and for event loops all that wait in one round trip."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Protocol

from storage.engine_support.committer import tell
from storage.errors import StorageError
from storage.redis.commit import Commit, Committed
from storage.redis.scripts import Request

_log = logging.getLogger(__name__)

_BUSY_PAUSE = 0.0005
"""Seconds until a channel on which a thread commits just now is tried again."""


class Sender(Protocol):
    """What sends scripts."""

    def run_all(self, requests: Sequence[Request]) -> list[Any]: ...


def commit_now(sender: Sender, commit: Commit) -> Committed:
    """Send a commit and wait for its outcome on this thread."""
    with commit.channel.lock:
        request = commit.begin()
        while not commit.done:
            if commit.pause:  # even a sleep of no time is a trip into the kernel
                time.sleep(commit.pause)
            _take(commit, _send(sender, [request])[0])
    return commit.result()


class CommitSender:
    """The steps of a committer's thread: what event loops want committed goes to the server in as few round trips as possible."""

    def __init__(self, sender: Sender) -> None:
        self.problem: str | None = None
        """What went wrong in the last step, which must not happen."""
        self._sender = sender
        self._waiting: list[Commit] = []
        """Not sent yet."""
        self._going: dict[Commit, float] = {}
        """On their way, with the moments at which they are to be sent (again); their channels are locked."""

    def step(self, arrived: list[Commit]) -> float | None:
        """Send what is due. Returns the seconds until something is to be done, None if nothing is under way."""
        self._waiting += arrived
        try:
            self._step(time.monotonic())
        except Exception as error:  # noqa: BLE001 - all commits go through here, so whatever happens must not end it
            _log.exception("sending commits failed")
            self.problem = f"sending commits failed: {error!r}"
            for commit in self._going:
                commit.lose(f"{self.problem}; whether the commit was made shows with the next one")
            self._settle(list(self._going))
        return self._until() if self._going or self._waiting else None

    def _step(self, now: float) -> None:
        for commit in [commit for commit in self._waiting if commit.channel.lock.acquire(blocking=False)]:
            self._waiting.remove(commit)
            self._going[commit] = now
            commit.begin()
        due = [commit for commit, when in self._going.items() if when <= now]
        if due:
            answers = _send(self._sender, [commit.request for commit in due if commit.request is not None])
            for commit, answer in zip(due, answers, strict=True):
                _take(commit, answer)
            self.problem = None
            self._settle(due)

    def _settle(self, sent: list[Commit]) -> None:
        """Let go of those that are done; the others have to be sent once more."""
        now = time.monotonic()
        for commit in sent:
            if commit.done:
                del self._going[commit]
                commit.channel.lock.release()
            else:
                self._going[commit] = now + commit.pause
        tell(commit for commit in sent if commit.done)

    def _until(self) -> float:
        """Seconds until something is to be done."""
        soonest = min(self._going.values(), default=float("inf")) - time.monotonic()
        return max(0.0, min(soonest, _BUSY_PAUSE if self._waiting else soonest))


def _send(sender: Sender, requests: list[Request]) -> list[Any]:
    try:
        return sender.run_all(requests)
    except StorageError as error:
        return [error] * len(requests)


def _take(commit: Commit, answer: Any) -> None:
    try:
        commit.take(answer)
    except Exception as error:  # noqa: BLE001 - somebody waits for the outcome, whatever it is
        commit.lose(f"the server gave an answer that is not understood: {answer!r:.200} ({error!r})")
