"""The open databases of this process, each once.

Order of locks: a database's own lock, then the pool's, then a store's. Nobody who holds the pool's waits for a database's.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from mooring.plugins.torbox.api_key import ApiKey
from mooring.plugins.torbox.database_locks import DatabaseLock, LockedOperation
from mooring.plugins.torbox.key_mask import KeyMask
from mooring.plugins.torbox.recovery import mask_copies
from mooring.plugins.torbox.table import JournalDB
from storage import Finding, StorageError, StoreClosed

DEFAULT_FOLDER = "torbox_db"

T = TypeVar("T")

_log = logging.getLogger(__name__)

# Plain file names, on every system: nothing that leads elsewhere, no device, nothing that a system cuts off or folds.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_. -]{0,99}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_ATTEMPTS = 100


class DatabaseNameRefused(ValueError):
    """The name of a database is not a plain file name."""


@dataclass(frozen=True)
class PoolSettings:
    """`root_dir` is resolved when a database is opened; `store_settings` are those of `RecordStore`."""

    root_dir: str | Path = DEFAULT_FOLDER
    durability: str = "commit"


class Pool:
    """Thread-safe. Opens databases when they are asked for and remembers their locks for good."""

    def __init__(self, settings: PoolSettings | None = None, key: ApiKey | None = None, **store_settings: Any) -> None:
        self.settings = settings or PoolSettings()
        self.mask = KeyMask(key or ApiKey())
        """Keeps the key out of the databases' files."""
        self.findings: list[Finding] = []
        """What opening the databases found; files that were set aside among it."""
        self._store_settings = store_settings
        self._changing = threading.Lock()
        self._open: dict[str, JournalDB] = {}
        self._locks: dict[str, DatabaseLock] = {}
        self._waiting: dict[int, DatabaseLock] = {}

    def configure(self, settings: PoolSettings, key: ApiKey | None = None) -> None:
        """Use other settings, and another source of the key, from now on. What is open is closed, and opens with them."""
        self.close_all()
        self.settings, self.mask, self.findings = settings, KeyMask(key or ApiKey()), []

    @property
    def folder(self) -> Path:
        return Path(self.settings.root_dir).absolute()

    def get(self, name: str) -> JournalDB:
        """The database, opened if it is not. Raises DatabaseNameRefused, StorageError and OSError."""
        database = self._open.get(name)
        if database is not None and not database.store.closed:
            return database
        check_name(name)
        with self._changing:
            database = self._open.get(name)
            if database is not None:
                if not database.store.closed:
                    return database
                database.store.wait_until_closed()
            return self._open_database(name)

    def lock(self, name: str) -> DatabaseLock:
        """The lock of the database of this name, the same one through closes and openings."""
        lock = self._locks.get(name)
        if lock is None:
            check_name(name)
            lock = self._locks.setdefault(name, DatabaseLock(self._waiting))
        return lock

    def exists(self, name: str) -> bool:
        """Whether the database is open, or on the disk."""
        return name in self._open or (_is_plain(name) and self.path(name).is_file())

    def path(self, name: str) -> Path:
        check_name(name)
        return self.folder / f"{name}.json"

    def names(self) -> list[str]:
        """What is open."""
        return sorted(self._open)

    def use(self, name: str, work: Callable[[JournalDB], T]) -> T:
        """Call `work` with the open database, while its lock is held. A close at the same moment makes it open again."""
        lock = self.lock(name)
        for _ in range(_ATTEMPTS):
            with LockedOperation(lock):
                try:
                    return work(self.get(name))
                except StoreClosed:
                    continue  # by somebody who could not wait for the lock, or did not ask; it opens anew
        raise StoreClosed(f"the database {name!r} is closed again and again by others")

    def close(self, name: str) -> bool:
        """False if it was not open. Raises OSError if the file could not be written; its journal then keeps what is missing."""
        if name not in self._open:
            return False
        with LockedOperation(self.lock(name)):
            database = self._open.get(name)
            if database is None:
                return False
            try:
                # Not under the pool's lock: an operation that is in the way may itself ask for another database.
                database.close()
            finally:
                with self._changing:
                    ours = self._open.get(name) is database
                    if ours:
                        del self._open[name]
        return ours

    def close_all(self) -> int:
        """How many were closed. One that cannot be written does not keep the others open; it is logged."""
        closed = 0
        for name in self.names():
            try:
                closed += self.close(name)
            except (OSError, StorageError) as error:
                closed += 1
                _log.warning("%s could not be written at its close (%s); its journal keeps what is missing", name, error)
        return closed

    def _open_database(self, name: str) -> JournalDB:
        if not self._open:
            mask_copies(self.folder, self.mask)
        settings = {"durability": self.settings.durability, "mask": self.mask, **self._store_settings}
        database = JournalDB(self.path(name), **settings)
        self.findings += database.store.findings
        self._open[name] = database
        return database


SHARED_POOL: Final = Pool()
"""The databases behind the published functions, which are called without a handle. They live here and not beside the functions,
because a checkout imports those under two names, `plugins.torbox` and `mooring.plugins.torbox`."""


def check_name(name: object) -> None:
    """Raise DatabaseNameRefused for what is no plain file name."""
    if not _is_plain(name):
        shown = repr(name)[:60]
        raise DatabaseNameRefused(f"{shown} is not a name for a database: use letters, digits, '_', '-', '.' and spaces, at most 100 of them")


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not name.endswith((".", " ")) and not _DEVICE.fullmatch(name)
