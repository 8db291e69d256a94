"""Whatever takes records away leaves a copy, and the newest copy can be brought back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from mooring.plugins.torbox.documents import encode_document
from mooring.plugins.torbox.pool import Pool
from mooring.plugins.torbox.records import Kind
from mooring.plugins.torbox.stock_file import read_file
from mooring.plugins.torbox.table import JournalDB
from mooring.plugins.torbox.table_state import Change, Drop, Empty, Put, document_id
from storage.json import Files

CLEARED = "cleared"
_KEPT_COPIES = 5


def keep_copy(pool: Pool, kind: Kind) -> Path | None:
    """A copy of what there is; None if there is nothing."""
    return pool.use(kind, lambda database: _copy(pool, kind, database) if len(database) else None)


def clear_with_copy(pool: Pool, kind: Kind) -> tuple[int, Path | None]:
    """Remove all records of a kind. Returns how many there were, and where they are kept."""

    def work(database: JournalDB) -> tuple[int, Path | None]:
        with database.store.writing:
            count = len(database)
            if not count:
                return 0, None
            copy = _copy(pool, kind, database)
            # The generation goes as well: an empty list on purpose is no reason to doubt the next one that is fetched.
            database.store.commit([Drop(name) for name in database.store.table_names()], sync=True)
        return count, copy

    return pool.use(kind, work)


def newest_copy(pool: Pool, kind: Kind) -> Path | None:
    return next(iter(_copies(pool, kind)), None)


def restore(pool: Pool, kind: Kind, copy: Path) -> int:
    """Put the records of a copy in the place of those that are there. Returns how many they are. Raises ValueError for a broken copy."""
    content = read_file(Files(), copy) or {}

    def work(database: JournalDB) -> int:
        with database.store.writing:
            changes: list[Change] = [Drop(name) for name in database.store.table_names() if name not in content]
            for name, documents in content.items():
                changes.append(Empty(name))
                changes += [Put(name, document_id(key), *encode_document(document)) for key, document in documents.items()]
            database.store.commit(changes, sync=True)
            return len(database)

    return pool.use(kind, work)


def _copies(pool: Pool, kind: Kind) -> list[Path]:
    """Newest first; their names begin with the time."""
    return sorted((pool.folder / CLEARED).glob(f"*-{kind}.json"), reverse=True)


def _copy(pool: Pool, kind: Kind, database: JournalDB) -> Path:
    path = pool.folder / CLEARED / f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}-{kind}.json"
    database.store.copy_to(path)
    for old in _copies(pool, kind)[_KEPT_COPIES:]:
        old.unlink(missing_ok=True)
    return path
