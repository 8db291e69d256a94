"""Commits beside their callers: one thread makes whatever many tasks want committed at the same moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from storage.engine_support.worker import Worker
from storage.errors import StorageError, StoreClosed
from storage.locking import PatientLock
from storage.outcome import Outcome, WakeUps

_log = logging.getLogger(__name__)


class Pending(Protocol):
    """A commit on its way."""

    outcome: Outcome | None
    """Set by who hands it in; `tell` settles it."""

    def result(self) -> Any:
        """What the commit gave, once it is over. Raises StorageError."""


Work = TypeVar("Work", bound=Pending)


class Committer(Generic[Work]):
    """Thread-safe. Its thread starts with the first commit, and calls `step` with the commits that came in meanwhile.

    `step` makes them, or begins to, and gives those that are over to `tell`. It returns after how many seconds it has to be
    called again, whatever comes in by then, and None when nothing is left to do.
    """

    def __init__(self, step: Callable[[list[Work]], float | None], name: str, closed: str) -> None:
        self.problem: str | None = None
        """Why a step failed in a way that was not foreseen, until one succeeds; in words for an operator."""
        self._step = step
        self._name = name
        self._refusal = closed
        self._arrived: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: Worker | None = None
        self._lock = PatientLock()
        self._closed = False
        self._ending = False

    async def commit(self, work: Work) -> Any:
        """The result, or what it raises. It is in the queue at once, so a cancellation is raised only when it is over."""
        outcome = Outcome()
        self.hand_in(work, outcome)
        await outcome.end()
        return work.result()

    def hand_in(self, work: Work, outcome: Outcome) -> None:
        """Commit it after all that was handed in before. Returns at once; `outcome` is settled when it is over. Raises StoreClosed."""
        work.outcome = outcome
        with self._lock.ready():  # so that nothing is put behind the mark that ends the thread
            if self._closed:
                raise StoreClosed(self._refusal)
            self._arrived.put(work)
            if self._thread is None:
                self._thread = Worker(self._run, self._name)
                self._thread.start()

    def close(self) -> None:
        """Waits for the commits that were handed in."""
        with self._lock.ready():
            self._closed = True
            thread = self._thread
            self._arrived.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        patience = None
        while not self._ending or patience is not None:
            try:
                patience = self._step(self._take(patience))
                self.problem = None
            except Exception as error:  # noqa: BLE001 - those who wait were told of theirs; the next ones must find a thread
                _log.exception("%s failed at a step, and goes on", self._name)
                self.problem = f"{self._name} failed at a commit: {error!r}"
                patience = None

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
    """Settle the outcomes of these commits, in this order, and wake those who wait for them."""
    wake_ups = WakeUps()
    try:
        for work in finished:
            outcome, work.outcome = work.outcome, None
            if outcome is not None:
                outcome.settle(_failure(work), wake_ups)
    finally:
        wake_ups.send()


def _failure(work: Pending) -> StorageError | None:
    try:
        work.result()
    except StorageError as error:
        return error
    return None
