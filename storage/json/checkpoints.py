"""The thread that makes checkpoints beside everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Lock

from storage.engine_support.worker import Worker
from storage.errors import StorageError

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0


class Checkpoints:
    """Runs `work` after each `wake`, and again after a while if it raised. The thread starts with the first `wake`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._wanted = Event()
        self._closing = Event()
        self._thread: Worker | None = None
        self._lock = Lock()

    def wake(self) -> None:
        if self._wanted.is_set():
            return
        self._wanted.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closing.is_set():
                    self._thread = Worker(self._run, "mooring-checkpoints")
                    self._thread.start()

    def close(self) -> None:
        """Waits for the work in hand."""
        with self._lock:
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
            except (OSError, StorageError) as error:
                _log.error("a checkpoint failed (%s); nothing is lost, it is tried again", error)
                self._closing.wait(_RETRY_SECONDS)
            else:
                self._wanted.clear()
