"""The thread that makes checkpoints beside everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event

from storage.engine_support.worker import Worker
from storage.errors import StorageError
from storage.locking import PatientLock

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0


class Checkpoints:
    """Runs `work` after each `wake`, and again after a while if it raised. The thread starts with the first `wake`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.problem: str | None = None
        """Why the last one failed, in words for an operator; None if it did not."""
        self._work = work
        self._wanted = Event()
        self._closing = Event()
        self._thread: Worker | None = None
        self._lock = PatientLock()

    def wake(self) -> None:
        if self._wanted.is_set():
            return
        self._wanted.set()
        if self._thread is None:
            with self._lock.ready():
                if self._thread is None and not self._closing.is_set():
                    self._thread = Worker(self._run, "mooring-checkpoints")
                    self._thread.start()

    def close(self) -> None:
        """Waits for the work in hand."""
        with self._lock.ready():
            self._closing.set()
            self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # `close` sets `_closing` first, so that clearing `_wanted` here cannot hide it.
        while not self._closing.is_set():
            self._wanted.wait()
            if self._closing.is_set():
                return
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - without this thread the journal would grow for ever, whatever the reason
                expected = isinstance(error, OSError | StorageError)
                _log.error("a checkpoint failed (%r); nothing is lost, it is tried again", error, exc_info=None if expected else error)
                self.problem = f"the last checkpoint failed ({error!r}); nothing is lost, but the journal grows until one succeeds"
                self._closing.wait(_RETRY_SECONDS)
            else:
                self.problem = None
                self._wanted.clear()
