"""One process per folder. The lock is the kernel's, so that it ends with the process, however that ends.

Where a system has no such locks, filelock keeps a file with the owner's pid and machine instead, and takes over what a dead
process left. A forked child does not inherit the lock: filelock closes the child's descriptor.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from storage.errors import StoreLocked
from storage.files import hand_over


class FolderLock:
    """Holds the lock from construction to `release`. Raises StoreLocked, with the owner's pid, if another process has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Not by thread: whoever closes a store last may be a finalizer in any of them.
        self._lock = FileLock(path, mode=0o600, thread_local=False)
        while not self._try():
            if path.exists():
                raise StoreLocked(str(path.parent), _read_pid(path))
            # Its last owner removed it after we had opened it.
        if not isinstance(self._lock, SoftFileLock):  # which has written the pid itself
            with suppress(OSError):  # then the owner is not told
                path.write_text(f"{os.getpid()}\n")
                hand_over(path, path.parent)

    def release(self) -> None:
        """Removes the file while the lock is still held, so that nobody's fresh lock file is removed."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._path.unlink()
            self.abandon()

    def abandon(self) -> None:
        """Lets go without removing the file. In a forked child this leaves the parent's lock in place."""
        self._lock.release()

    def _try(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return None
