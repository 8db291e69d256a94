"""Whatever takes records away leaves a copy, and the newest copy can be brought back.

    cleared/20260131T235959123456Z-torrents.json     readable by TinyDB, like the database itself

A program may clear a database every few hours, so only the newest copies of each are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mooring.plugins.torbox.documents import encode_document
from mooring.plugins.torbox.pool import Pool
from mooring.plugins.torbox.refresh import GENERATION_TABLE
from mooring.plugins.torbox.stock_file import parse
from mooring.plugins.torbox.table import JournalDB
from mooring.plugins.torbox.table_state import Change, Drop, Empty, Put, document_id
from storage.json import Files

CLEARED = "cleared"
_KEPT_COPIES = 5
_KEPT_BYTES = 256 * 1024 * 1024
"""Of all copies of one database together; the newest stays in any case."""
_NAME = re.compile(r"\d{8}T\d{12}Z-(.+)\.json")


def keep_copy(pool: Pool, name: str) -> Path | None:
    """A copy of what there is; None if there is nothing."""
    return pool.use(name, lambda database: _copy(pool, name, database) if len(database) else None)


def clear_with_copy(pool: Pool, name: str) -> tuple[int, Path | None]:
    """Remove all records from a database. Returns how many records there were, and where they are kept."""

    def work(database: JournalDB) -> tuple[int, Path | None]:
        with database.store.writing:
            count = len(database)
            copy = _copy(pool, name, database) if count else None
            # The generation goes as well: an empty list on purpose is no reason to doubt the next one that is fetched.
            database.store.commit([Empty(database.default_table_name), Drop(GENERATION_TABLE)], sync=True)
        return count, copy

    return pool.use(name, work)


def newest_copy(pool: Pool, name: str) -> Path | None:
    return next(iter(_copies(pool, name)), None)


def restore(pool: Pool, name: str, copy: Path) -> int:
    """Put the records of a copy in the place of those that are there, of which a copy is kept.

    Returns how many they are. Raises ValueError for a broken copy.
    """
    content = parse(pool.mask.mask_bytes(Files().read(copy))) or {}

    def work(database: JournalDB) -> int:
        with database.store.writing:
            if len(database):
                _copy(pool, name, database)
            changes: list[Change] = [Drop(table) for table in database.store.table_names() if table not in content]
            for table, documents in content.items():
                changes.append(Empty(table))
                changes += [Put(table, document_id(key), *encode_document(document)) for key, document in documents.items()]
            database.store.commit(changes, sync=True)
            return len(database)

    return pool.use(name, work)


def _copies(pool: Pool, name: str) -> list[Path]:
    """Newest first; their names begin with the time."""
    named = ((path, _NAME.fullmatch(path.name)) for path in (pool.folder / CLEARED).glob("*.json"))
    return sorted((path for path, match in named if match is not None and match[1] == name), reverse=True)


def _copy(pool: Pool, name: str, database: JournalDB) -> Path:
    path = pool.folder / CLEARED / f"{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}-{name}.json"
    database.store.copy_to(path)
    for old in _surplus(_copies(pool, name)):
        old.unlink(missing_ok=True)
    return path


def _surplus(newest_first: Iterable[Path]) -> list[Path]:
    surplus, size = [], 0
    for number, path in enumerate(newest_first):
        size += path.stat().st_size
        if number and (number >= _KEPT_COPIES or size > _KEPT_BYTES):
            surplus.append(path)
    return surplus
