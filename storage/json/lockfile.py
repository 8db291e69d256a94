"""One process per folder. The lock is the kernel's, so that it ends with the process, however that ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from storage.errors import StoreLocked


class Ownership:
    """Holds the lock from construction to `release`. Raises StoreLocked if another process has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.pid = os.getpid()
        self._descriptor: int | None = _lock(path)

    def release(self) -> None:
        """Removes the file while the lock is still held, so that nobody's fresh lock file is removed."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path.unlink()
            self.abandon()

    def abandon(self) -> None:
        """Lets go without removing the file. In a forked child this leaves the parent's lock in place."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_there(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
                return descriptor
        except BlockingIOError:
            pid = _read_pid(descriptor)
            os.close(descriptor)
            raise StoreLocked(str(path.parent), pid) from None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last owner removed it between our two calls


def _is_still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read_pid(descriptor: int) -> int | None:
    try:
        return int(os.pread(descriptor, 20, 0))
    except (OSError, ValueError):
        return None
