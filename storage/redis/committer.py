"""Sending commits: at once for threads, and for event loops all that wait in one round trip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, Protocol

from storage.errors import StorageError, StoreClosed
from storage.redis.commit import Commit, Committed
from storage.redis.scripts import Request

_BUSY_PAUSE = 0.0005
"""Seconds until a channel on which a thread commits just now is tried again."""


class Sender(Protocol):
    """What sends scripts."""

    def run_all(self, requests: Sequence[Request]) -> list[Any]: ...


class _Outcome(asyncio.Future[Committed]):
    """Cannot be cancelled: who is cancelled while it waits gets its CancelledError when the commit is over."""

    def cancel(self, msg: object = None) -> bool:
        return False


def commit_now(sender: Sender, commit: Commit) -> Committed:
    """Send a commit and wait for its outcome on this thread."""
    with commit.channel.lock:
        request = commit.begin()
        while not commit.done:
            if commit.pause:  # even a sleep of no time is a trip into the kernel
                time.sleep(commit.pause)
            _take(commit, _send(sender, [request])[0])
    return commit.result()


class RedisCommitter:
    """A thread, started with the first commit, that sends what the tasks of event loops want committed."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._arrived: SimpleQueue[Commit | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()
        self._closed = False

    async def commit(self, commit: Commit) -> Committed:
        """The outcome. A cancellation is raised only when it is over."""
        commit.future = future = _Outcome(loop=asyncio.get_running_loop())
        with self._lock:
            if self._closed:
                raise StoreClosed("the connection to Redis is closed")
            self._arrived.put(commit)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="mooring-redis-commits", daemon=True)
                self._thread.start()
        return await future

    def stop(self) -> None:
        """Waits for the commits that were handed in."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._arrived.put(None)
        if thread is not None and thread is not current_thread():
            thread.join()

    def _run(self) -> None:
        waiting: list[Commit] = []
        """Not sent yet."""
        going: list[tuple[float, Commit]] = []
        """On their way, with the moments at which they are to be sent (again); their channels are locked."""
        ending = False
        while not ending or waiting or going:
            ending = self._arrivals(waiting, None if not waiting and not going else _until(going, waiting)) or ending
            now = time.monotonic()
            for commit in [commit for commit in waiting if commit.channel.lock.acquire(blocking=False)]:
                waiting.remove(commit)
                commit.begin()
                going.append((now, commit))
            due = [commit for when, commit in going if when <= now]
            going = [(when, commit) for when, commit in going if when > now]
            going += self._send(due)

    def _arrivals(self, waiting: list[Commit], patience: float | None) -> bool:
        """Fetches what has arrived; true if that was the last."""
        last = False
        with suppress(Empty):
            commit = self._arrived.get(timeout=patience) if patience != 0 else self._arrived.get_nowait()
            while True:
                last = last or commit is None
                waiting += [commit] if commit is not None else []
                commit = self._arrived.get_nowait()
        return last

    def _send(self, due: list[Commit]) -> list[tuple[float, Commit]]:
        """Those that have to be sent once more."""
        if not due:
            return []
        answers = _send(self._sender, [commit.request for commit in due if commit.request is not None])
        for commit, answer in zip(due, answers, strict=True):
            _take(commit, answer)
            if commit.done:
                commit.channel.lock.release()
        _tell([commit for commit in due if commit.done])
        now = time.monotonic()
        return [(now + commit.pause, commit) for commit in due if not commit.done]


def _until(going: list[tuple[float, Commit]], waiting: list[Commit]) -> float:
    """Seconds until something is to be done."""
    soonest = min((when for when, _ in going), default=float("inf")) - time.monotonic()
    return max(0.0, min(soonest, _BUSY_PAUSE if waiting else soonest))


def _send(sender: Sender, requests: list[Request]) -> list[Any]:
    try:
        return sender.run_all(requests)
    except StorageError as error:
        return [error] * len(requests)


def _take(commit: Commit, answer: Any) -> None:
    try:
        commit.take(answer)
    except Exception as error:  # noqa: BLE001 - somebody waits for the outcome, whatever it is
        commit.fail(StorageError(f"the server gave an answer that is not understood: {answer!r:.200} ({error!r})"))


def _tell(finished: list[Commit]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Commit]] = {}
    for commit in finished:
        by_loop.setdefault(commit.future.get_loop(), []).append(commit)
    for loop, commits in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_finish, commits)


def _finish(commits: list[Commit]) -> None:
    for commit in commits:
        try:
            commit.future.set_result(commit.result())
        except StorageError as error:
            commit.future.set_exception(error)
