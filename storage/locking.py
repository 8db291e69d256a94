"""Locks that do not hang where they could never be had: in signal handlers and in forked children."""

from __future__ import annotations

import os
import sys
import time
from threading import Lock

from storage.errors import StorageBusy, StorageError

FOREVER = -1.0
_BENEFIT_OF_DOUBT = 2.0
"""Seconds for which a lock is waited for that the interrupted code may hold. Engines of others may only look like handlers."""

_PAUSE = 0.001


class PatientLock:
    """A lock that is looked at before it is waited for.

        with lock.ready():
            ...

    What `ready` returns is the system's own lock, as only that is let go of in any case when a signal handler raises an exception in
    the moment in which it was taken.
    """

    __slots__ = ("_pid", "acquire", "lock", "locked", "release")

    def __init__(self) -> None:
        self.lock = lock = Lock()
        self.acquire = lock.acquire
        self.release = lock.release
        self.locked = lock.locked
        self._pid = os.getpid()

    def ready(self) -> Lock:
        """The lock, to be waited for. Raises as `look` does."""
        if self.locked():
            self.look()
        return self.lock

    def look(self) -> None:
        """Call it when the lock was found taken.

        Raises StorageBusy where this code has interrupted the one that holds it, and StorageError in a forked child.
        """
        self.refuse_fork()
        if is_interrupting():
            deadline = time.monotonic() + _BENEFIT_OF_DOUBT
            while self.locked():
                if time.monotonic() > deadline:
                    raise StorageBusy("this code has interrupted an operation on the same data, as signal handlers do, and cannot wait for it")
                time.sleep(_PAUSE)

    def wait(self, patience: float = FOREVER) -> bool:
        """Acquire it, when it was found taken; false if that is not possible in so many seconds. Raises as `look` does."""
        self.look()
        return self.acquire(timeout=patience)

    def refuse_fork(self) -> None:
        """Raise StorageError in a forked child, which has only the picture of a lock: nobody there will ever release it."""
        if os.getpid() != self._pid:
            raise StorageError(f"this belongs to process {self._pid}, and a forked child cannot use it; open another one there")

    def __enter__(self) -> None:
        self.ready().acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def is_interrupting() -> bool:
    """Whether this code was called in the middle of an operation of storage, as signal handlers and finalizers are.

    The stack tells: code of others stands between two operations of storage. The standard library's counts as nobody's.
    """
    frame = sys._getframe(1)
    was_left = False
    while frame is not None:
        room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if room == "storage":
            if was_left:
                return True
        elif room not in sys.stdlib_module_names:
            was_left = True
        frame = frame.f_back  # type: ignore[assignment]
    return False
