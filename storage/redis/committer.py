"""Sending commits: at once for threads, and for event loops all that wait in one round trip."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from storage.engine_support.committer import tell
from storage.errors import StorageError
from storage.redis.channel import RedisChannel
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
        while not commit.done:
            if commit.pause:  # even a sleep of no time is a trip into the kernel
                time.sleep(commit.pause)
            _send(sender, [commit])
    return commit.result()


class CommitSender:
    """The steps of a committer's thread: what event loops want committed goes to the server in as few round trips as possible.

    Commits to one channel go in their order, and all that wait at the same time go together: a commit that was built on another one
    names it, so the server refuses it by itself if that one came too late.
    """

    def __init__(self, sender: Sender) -> None:
        self.problem: str | None = None
        """What went wrong in the last step, which must not happen."""
        self._sender = sender
        self._lines: dict[RedisChannel, list[Commit]] = {}
        """What is not over yet, by channel."""
        self._due: dict[RedisChannel, float] = {}
        """When to send (again); these channels are locked."""

    def step(self, arrived: list[Commit]) -> float | None:
        """Send what is due. Returns the seconds until something is to be done, None if nothing is under way."""
        for commit in arrived:
            self._lines.setdefault(commit.channel, []).append(commit)
        try:
            self._step(time.monotonic())
        except Exception as error:  # noqa: BLE001 - all commits go through here, so whatever happens must not end it
            _log.exception("sending commits failed")
            self.problem = f"sending commits failed: {error!r}"
            for channel in self._due:
                for commit in [commit for commit in self._lines[channel] if not commit.done]:
                    commit.lose(f"{self.problem}; whether the commit was made shows with the next one")
            self._settle(list(self._due))
        return self._until() if self._lines else None

    def _step(self, now: float) -> None:
        for channel in self._lines:
            if channel not in self._due and channel.lock.acquire(blocking=False):
                self._due[channel] = now
        due = [channel for channel, when in self._due.items() if when <= now]
        if due:
            _send(self._sender, [commit for channel in due for commit in self._lines[channel]])
            self.problem = None
            self._settle(due)

    def _settle(self, sent: list[RedisChannel]) -> None:
        """Let go of the channels for which all is done; the rest has to be sent once more."""
        now = time.monotonic()
        finished: list[Commit] = []
        for channel in sent:
            line = self._lines[channel]
            # In the order in which they were handed in: one that is done before another waits for it.
            count = next((place for place, commit in enumerate(line) if not commit.done), len(line))
            finished += line[:count]
            del line[:count]
            if line:
                self._due[channel] = now + line[0].pause
            else:
                del self._lines[channel], self._due[channel]
                channel.lock.release()
        tell(finished)

    def _until(self) -> float:
        """Seconds until something is to be done."""
        soonest = min(self._due.values(), default=float("inf")) - time.monotonic()
        return max(0.0, min(soonest, _BUSY_PAUSE if len(self._due) < len(self._lines) else soonest))


def _send(sender: Sender, commits: Iterable[Commit]) -> None:
    """Send those that are not done, in this order, and let them have the answers."""
    sent: list[tuple[Commit, Request]] = []
    for commit in commits:
        if not commit.done:
            commit.prepare()
        if not commit.done and commit.request is not None:
            sent.append((commit, commit.request))
    if not sent:
        return
    try:
        answers = sender.run_all([request for _, request in sent])
    except StorageError as error:
        answers = [error] * len(sent)
    for (commit, _), answer in zip(sent, answers, strict=True):
        _take(commit, answer)


def _take(commit: Commit, answer: Any) -> None:
    try:
        commit.take(answer)
    except Exception as error:  # noqa: BLE001 - somebody waits for the outcome, whatever it is
        commit.lose(f"the server gave an answer that is not understood: {answer!r:.200} ({error!r})")
