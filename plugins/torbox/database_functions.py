"""The seven functions over the databases of TorBox metadata, under their published names, and three typed ones beside them.

    success, message = insertData({"item_id": 12345, "file_name": "movie.mkv"}, "torrents")
    data, success, message = getAllData("torrents")

The seven report failures in what they return and raise nothing. Each is one operation; to keep several together, hold the
database's lock: `with getDatabaseLock("torrents"): ...`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from tinydb import TinyDB

from mooring.plugins.torbox.backups import clear_with_copy
from mooring.plugins.torbox.database_locks import DatabaseLock
from mooring.plugins.torbox.pool import SHARED_POOL, DatabaseNameRefused
from mooring.plugins.torbox.records import Kind
from mooring.plugins.torbox.refresh import Refreshed, replace_generation
from mooring.plugins.torbox.search import find_file, search_records
from storage import StorageError

_log = logging.getLogger(__name__)

_FAILURES = (StorageError, OSError, ValueError, TypeError, DatabaseNameRefused)


def getDatabase(name: str = "db") -> TinyDB | None:
    """The open database over `{name}.json`, the same object for all callers; None, and a line in the log, if it cannot be opened."""
    try:
        return SHARED_POOL.get(name)
    except _FAILURES as error:
        _log.error("the database %r cannot be opened: %s", name, error)
        return None


def getDatabaseLock(name: str = "db") -> DatabaseLock | None:
    """The reentrant lock of the database; None if there is no such database, open or on the disk."""
    try:
        return SHARED_POOL.lock(name) if SHARED_POOL.exists(name) else None
    except _FAILURES:
        return None


def insertData(data: dict[str, Any], type: str) -> tuple[bool, str]:  # noqa: A002 - a published name
    """`(True, message)`, or `(False, message)` and nothing is changed. The same record twice makes two."""
    try:
        SHARED_POOL.use(type, lambda database: database.insert(data))
    except _FAILURES as error:
        return False, f"Error inserting data. {error}"
    return True, "Data inserted successfully."


def getAllData(type: str) -> tuple[list[Any] | None, bool, str]:  # noqa: A002 - a published name
    """`(records, True, message)`, or `(None, False, message)`. The records are the caller's own copies."""
    try:
        return SHARED_POOL.use(type, lambda database: database.all()), True, "Data retrieved successfully."
    except _FAILURES as error:
        return None, False, f"Error retrieving data. {error}"


def clearDatabase(type: str) -> tuple[bool, str]:  # noqa: A002 - a published name
    """Removes all records. A copy of them is left in the folder `cleared`, where the newest few of each database are kept."""
    try:
        clear_with_copy(SHARED_POOL, type)
    except _FAILURES as error:
        return False, f"Error clearing database. {error}"
    return True, "Database cleared successfully."


def closeDatabase(name: str = "db") -> tuple[bool, str]:
    """Leaves a file that stock TinyDB opens. The database opens again when it is next asked for."""
    try:
        closed = SHARED_POOL.close(name)
    except _FAILURES as error:
        return False, f"Error closing database. {error}"
    return True, "Database closed successfully." if closed else "Database was not open."


def closeAllDatabases() -> tuple[bool, str]:
    """Always `(True, message)`."""
    return True, f"Closed {SHARED_POOL.close_all()} database connections."


def refresh(kind: Kind, records: Iterable[Mapping[str, Any]], *, force: bool = False) -> Refreshed:
    """Make `records` the new generation of this kind, in one commit. Raises ImplausibleAnswer unless forced; see `docs/torbox.md`."""
    listed = list(records)
    return SHARED_POOL.use(kind, lambda database: replace_generation(database, kind, listed, force=force))


def search(kind: Kind, text: str) -> list[dict[str, Any]]:
    """The records in which every word of `text` occurs in any field, best first; accents and case do not matter."""
    return SHARED_POOL.use(kind, lambda database: search_records(database, text))


def find(kind: Kind, item_id: int, file_id: int) -> dict[str, Any] | None:
    """The record of one file, by index."""
    return SHARED_POOL.use(kind, lambda database: find_file(database, item_id, file_id))
