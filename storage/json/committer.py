"""Commits for event loops: one thread writes whatever many tasks want committed at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock

from storage.errors import StoreClosed
from storage.json.entry import Entry, failure
from storage.json.journal import Journal
from storage.json.worker import Worker


class _Outcome(asyncio.Future[None]):
    """Cannot be cancelled: a task that is cancelled while it waits gets its CancelledError when the commit is over.

    Far cheaper than a shield, which takes a task or a second future for each commit.
    """

    def cancel(self, msg: object = None) -> bool:
        return False


class Committer:
    """Thread-safe; its thread starts with the first commit. `after` runs in that thread after each batch and must not raise."""

    def __init__(self, journal: Journal, after: Callable[[], None]) -> None:
        self._journal = journal
        self._after = after
        self._waiting: SimpleQueue[Entry | None] = SimpleQueue()
        self._thread: Worker | None = None
        self._lock = Lock()
        self._closed = False

    async def commit(self, entry: Entry) -> None:
        """Returns or raises as `Journal.commit`. It is in the queue at once, so a cancellation is raised only when it is over."""
        entry.future = future = _Outcome(loop=asyncio.get_running_loop())
        with self._lock:  # so that nothing is put behind the mark that ends the thread
            if self._closed:
                raise StoreClosed("the store is closed")
            self._waiting.put(entry)
            if self._thread is None:
                self._thread = Worker(self._run, "mooring-commits")
                self._thread.start()
        await future

    def close(self) -> None:
        """Waits for the commits that were handed in."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._waiting.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            while entries := self._take():
                try:
                    self._journal.commit_all(entries)
                finally:
                    _tell(entries)
                self._after()
        finally:
            self._thread = None  # should memory run out here, the next commit starts another thread

    def _take(self) -> list[Entry]:
        """All that waits; empty when the thread is to end."""
        entries: list[Entry] = []
        entry = self._waiting.get()
        with suppress(Empty):
            while entry is not None:
                entries.append(entry)
                entry = self._waiting.get_nowait()
            self._waiting.put(None)  # for the next round, after these are written
        return entries


def _tell(entries: list[Entry]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Entry]] = {}
    for entry in entries:
        by_loop.setdefault(entry.future.get_loop(), []).append(entry)
    for loop, finished in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_finish, finished)


def _finish(entries: list[Entry]) -> None:
    for entry in entries:
        future = entry.future
        if entry.cause is None:
            future.set_result(None)
        else:
            future.set_exception(failure(entry))
