"""JSONDatabase: a dict as a readable JSON file, with a journal in front of it that survives a crash at any moment."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.engine_support.shared_instances import SharedInstances
from storage.errors import ConfigError, Fault, KeyRefused, StorageError, StorageUnavailable, StoreClosed
from storage.json.entry import JournalEntry
from storage.json.paths import JOURNAL
from storage.json.retained import Retention
from storage.json.store import CHECKPOINT_BYTES, Store
from storage.json.table import Change, Table
from storage.outcome import Outcome

_log = logging.getLogger(__name__)
_DURABILITIES = ("commit", "always", "never")
_STORES: SharedInstances[Path, Store] = SharedInstances()
"""One store per folder and process."""


class JSONDatabase(DatabaseInterface):
    """One domain of the store in `root_dir`, which is the working directory if it is empty.

    Opening a folder that another process has open raises StoreLocked. A single write survives the end of the process, a commit
    with `sync` survives a power loss too; `durability` "always" syncs single writes, "never" leaves all to the operating system.
    The store closes with the last engine object on it, which leaves one JSON file for each domain and nothing else.
    """

    overlaps: ClassVar[bool] = True
    closes_by_finalizer: ClassVar[bool] = True

    _stores: SharedInstances[Path, Store] = _STORES
    _make_store: Callable[..., Store] = staticmethod(Store)
    """Where a simulation puts stores over its own disk and clock."""

    def __init__(
        self,
        domain: str = "",
        root_dir: str | Path = "",
        durability: str = "commit",
        *,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
        retention_days: float = Retention.days,
        retention_bytes: int = Retention.size,
        **settings: Any,
    ) -> None:
        super().__init__(domain, **settings)
        if durability not in _DURABILITIES:
            raise ConfigError([Fault("", domain, "durability", f"{durability!r} is unknown", f"use one of {', '.join(_DURABILITIES)}")])
        if settings:
            _log.info("JSONDatabase has no use for the settings %s", ", ".join(sorted(settings)))
        try:
            root = Path(root_dir).resolve()
            retention = Retention(retention_days, retention_bytes)
            make = partial(self._make_store, root, checkpoint_bytes=checkpoint_bytes, retention=retention)
            self._store, release = self._stores.acquire(root, make)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot open {str(root_dir)!r}: {error}") from error
        self._release = weakref.finalize(self, release)
        self._table = self._store.table(domain)
        self._store.watch(self._table, self)
        self._is_ready = False
        """Its table is loaded and what that found is in `report`, and it was not closed."""
        self._sync_singles = durability == "always"
        self._sync_commits = durability != "never"
        self.lock = self._table.lock
        self.report = list(self._store.findings)

    def get_value(self, key: str) -> tuple[bool, Any]:
        try:
            values = self._values()
            if key in values:
                return True, codec.decode(values[key])
        except (StorageError, TypeError) as error:
            return False, str(error)
        return False, f"there is no key {key!r}"

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        try:
            if type(key) is not str:
                raise KeyRefused(key)
            encoded = codec.encode(value)
            self._values()
            self._store.commit_one(self._table, key, encoded, self._sync_singles)
        except StorageError as error:
            return False, str(error)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        try:
            if type(key) is not str:
                raise KeyRefused(key)
            if key not in self._values():
                return False, f"there is no key {key!r}"
            self._store.commit_one(self._table, key, None, self._sync_singles)
        except StorageError as error:
            return False, str(error)
        return True, key

    def all_keys(self) -> Iterable[str]:
        try:
            self._values()
            return list(self._store.copy(self._table))
        except StorageUnavailable:
            raise  # as from the other engines: no keys would be a lie, which a dict that is not loaded would pass on
        except StorageError as error:
            _log.error("%r has no keys to tell: %s", self, error)
            return []

    def group(self) -> Hashable:
        return ("json", str(self._store.root))

    def load_one(self, key: str) -> Encoded | None:
        return self._values().get(key)

    def load_all(self) -> dict[str, Encoded]:
        self._values()
        return self._store.copy(self._table)

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        self._values()
        self._store.commit(_parts(batch), origin, sync=self._sync_singles or (sync and self._sync_commits))

    def commit_one(self, key: str, encoded: Encoded | None) -> None:
        if not self._is_ready:
            self._values()
        self._store.commit_one(self._table, key, encoded, self._sync_singles)

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        self._values()
        await self._store.commit_async(_parts(batch), origin, sync=self._sync_singles or (sync and self._sync_commits))

    def hand_in(self, batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
        self._values()
        synced = self._sync_singles or (sync and self._sync_commits)
        return self._store.hand_in(_parts(batch), origin, outcome, after if isinstance(after, JournalEntry) else None, sync=synced)

    @property
    def problem(self) -> str | None:  # type: ignore[override]
        return self._store.problem

    @property
    def store(self) -> Store:
        """What is behind all dicts of the folder, for those who copy or replace many of them at once."""
        return self._store

    def size(self) -> int | None:
        return _bytes(self._table.path)

    def shared_size(self) -> int | None:
        return sum(_bytes(segment) for segment in (self._store.root / JOURNAL).glob("*"))

    def probe(self) -> bool:
        self._store.probe()
        return True

    def close(self) -> None:
        self._is_ready = False
        self._release()

    def _values(self) -> dict[str, Encoded]:
        """The table's values, loaded. Raises StorageError."""
        if not self._is_ready:
            if not self._release.alive:
                raise StoreClosed(f"{self!r} is closed")
            self._store.load(self._table)
            self.report += self._table.findings
            self._is_ready = True
        return self._table.values


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # not written yet, or just replaced


def _parts(batch: Sequence[DomainChanges]) -> list[tuple[Table, Sequence[Change]]]:
    """The engines of a group are all of this class."""
    return [(part.engine._table, part.changes) for part in batch if isinstance(part.engine, JSONDatabase)]
