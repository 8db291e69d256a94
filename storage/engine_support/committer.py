"""Commits for event loops: one thread makes whatever many tasks want committed at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from storage.engine_support.worker import Worker
from storage.errors import StorageError, StoreClosed


class Pending(Protocol):
    """A commit on its way."""

    future: Any
    """Set by `Committer.commit`; `tell` needs it."""

    def result(self) -> Any:
        """What the commit gave, once it is over. Raises StorageError."""


Work = TypeVar("Work", bound=Pending)


class _Outcome(asyncio.Future[Any]):
    """Cannot be cancelled: a task that is cancelled while it waits gets its CancelledError when the commit is over.

    Far cheaper than a shield, which takes a task or a second future for each commit.
    """

    def cancel(self, msg: object = None) -> bool:
        return False


class Committer(Generic[Work]):
    """Thread-safe. Its thread starts with the first commit, and calls `step` with the commits that came in meanwhile.

    `step` makes them, or begins to, and gives those that are over to `tell`. It returns after how many seconds it has to be
    called again, whatever comes in by then, and None when nothing is left to do.
    """

    def __init__(self, step: Callable[[list[Work]], float | None], name: str, closed: str) -> None:
        self._step = step
        self._name = name
        self._refusal = closed
        self._arrived: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: Worker | None = None
        self._lock = Lock()
        self._closed = False
        self._ending = False

    async def commit(self, work: Work) -> Any:
        """The result, or what it raises. It is in the queue at once, so a cancellation is raised only when it is over."""
        work.future = future = _Outcome(loop=asyncio.get_running_loop())
        with self._lock:  # so that nothing is put behind the mark that ends the thread
            if self._closed:
                raise StoreClosed(self._refusal)
            self._arrived.put(work)
            if self._thread is None:
                self._thread = Worker(self._run, self._name)
                self._thread.start()
        return await future

    def close(self) -> None:
        """Waits for the commits that were handed in."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._arrived.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        try:
            patience = None
            while not self._ending or patience is not None:
                patience = self._step(self._take(patience))
        finally:
            self._thread = None  # should memory run out here, the next commit starts another thread

    def _take(self, patience: float | None) -> list[Work]:
        """All that has come in; waits for the first. Notes the mark that ends the thread."""
        arrived: list[Work] = []
        with suppress(Empty):
            work = self._arrived.get(timeout=patience)
            while work is not None:
                arrived.append(work)
                work = self._arrived.get_nowait()
            self._ending = True
        return arrived


def tell(finished: Iterable[Pending]) -> None:
    """Wake the tasks that wait for these commits, with one call into each of their loops."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Pending]] = {}
    for work in finished:
        by_loop.setdefault(work.future.get_loop(), []).append(work)
    for loop, works in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_finish, works)


def _finish(finished: list[Pending]) -> None:
    for work in finished:
        try:
            work.future.set_result(work.result())
        except StorageError as error:
            work.future.set_exception(error)
