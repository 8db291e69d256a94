"""The lock of a database, as callers of `getDatabaseLock` get it.

It is reentrant, so that who holds it can call the seven functions. These also have to end when two threads each hold one
database's lock and ask for the other's: `LockedOperation` notices that the wait would never end, and goes on without the lock. Every single
operation is whole without it; the lock only keeps several of them together.
"""

from __future__ import annotations

import threading
from types import TracebackType

_LOOK_AGAIN = 0.05
"""Seconds between two looks for a circle of waiting threads."""


class DatabaseLock:
    """A reentrant lock that knows which thread holds it."""

    def __init__(self, waiting: dict[int, DatabaseLock]) -> None:
        self._lock = threading.RLock()
        self._waiting = waiting
        self._depth = 0
        self.holder: int | None = None
        """The thread that holds it. Read without the lock, so it may be about to change."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As `threading.RLock.acquire`."""
        if not self._lock.acquire(blocking=False):
            if not blocking:
                return False
            me = threading.get_ident()
            self._waiting[me] = self
            try:
                if not self._lock.acquire(timeout=timeout):
                    return False
            finally:
                self._waiting.pop(me, None)
        self.holder = threading.get_ident()
        self._depth += 1
        return True

    def release(self) -> None:
        """As `threading.RLock.release`."""
        if self.holder != threading.get_ident():
            raise RuntimeError("the lock is not held by this thread")
        self._depth -= 1
        if not self._depth:
            self.holder = None
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def acquire_unless_stuck(self) -> bool:
        """Wait for the lock, but not for ever: False if its holder waits, directly or not, for one that this thread holds."""
        me = threading.get_ident()
        self._waiting[me] = self
        try:
            stuck = 0
            while not self._lock.acquire(timeout=_LOOK_AGAIN):
                # Holders are read while they come and go, so only a circle that is seen twice is one.
                stuck = stuck + 1 if self._leads_back(me) else 0
                if stuck == 2:
                    return False
        finally:
            self._waiting.pop(me, None)
        self.holder = me
        self._depth += 1
        return True

    def _leads_back(self, me: int) -> bool:
        lock: DatabaseLock | None = self
        for _ in range(len(self._waiting) + 1):
            holder = lock.holder if lock is not None else None
            if holder is None:
                return False
            if holder == me:
                return True
            lock = self._waiting.get(holder)
        return False


class LockedOperation:
    """`with LockedOperation(lock):` for one operation of the seven functions."""

    def __init__(self, lock: DatabaseLock) -> None:
        self._lock = lock
        self._held = False

    def __enter__(self) -> None:
        self._held = self._lock.acquire(blocking=False) or self._lock.acquire_unless_stuck()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._held:
            self._lock.release()
