"""What people keep TorBox records in, each behind the same few operations."""

from __future__ import annotations

import json
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tinydb import Query, TinyDB
from tinydb.middlewares import CachingMiddleware
from tinydb.storages import JSONStorage

from mooring.plugins.torbox.table import JournalDB

Record = dict[str, Any]


class Contender(ABC):
    """`survives` says what a kill -9 leaves of an insert that returned."""

    name: str
    survives: str
    only_in_turn = False

    @abstractmethod
    def open(self, folder: Path) -> None: ...

    def settle(self) -> None:  # noqa: B027 - few have anything to wait for
        """Wait for what goes on behind a write that returned."""

    @abstractmethod
    def insert(self, record: Record) -> None: ...

    @abstractmethod
    def insert_multiple(self, records: Sequence[Record]) -> None: ...

    @abstractmethod
    def all(self) -> list[Any]: ...

    @abstractmethod
    def search_title(self, title: str) -> list[Any]: ...

    @abstractmethod
    def search_file(self, item_id: int, file_id: int) -> list[Any]: ...

    @abstractmethod
    def close(self) -> None: ...


class OverTinyDB(Contender):
    """Whatever has TinyDB's API."""

    database: Any

    def insert(self, record: Record) -> None:
        self.database.insert(record)

    def insert_multiple(self, records: Sequence[Record]) -> None:
        self.database.insert_multiple(records)

    def all(self) -> list[Any]:
        return list(self.database.all())

    def search_title(self, title: str) -> list[Any]:
        return list(self.database.search(Query().metadata_title == title))

    def search_file(self, item_id: int, file_id: int) -> list[Any]:
        return list(self.database.search((Query().item_id == item_id) & (Query().file_id == file_id)))

    def close(self) -> None:
        self.database.close()


class Mooring(OverTinyDB):
    name = "Mooring"
    survives = "all"

    def open(self, folder: Path) -> None:
        self.database = JournalDB(folder / "mooring.json")

    def settle(self) -> None:
        self.database.store.checkpoint()


class Stock(OverTinyDB):
    name = "TinyDB"
    survives = "all, unless it hits a write: then nothing"

    def open(self, folder: Path) -> None:
        self.database = TinyDB(folder / "stock.json")


class Caching(OverTinyDB):
    name = "TinyDB, CachingMiddleware"
    survives = "nothing since the 1000th last"

    def open(self, folder: Path) -> None:
        middleware: Any = CachingMiddleware
        self.database = TinyDB(folder / "caching.json", storage=middleware(JSONStorage))


class Better(OverTinyDB):
    """Its thread turns without a pause while it is open, which takes the interpreter from everybody else; so it is open in its turns only."""

    name = "BetterJSONStorage"
    survives = "what its thread has written"
    only_in_turn = True

    def open(self, folder: Path) -> None:
        storage: Any = import_module("BetterJSONStorage").BetterJSONStorage
        self.database = TinyDB(folder / "better.db", storage=storage, access_mode="r+")

    def close(self) -> None:
        # Its own close waits for ever if its thread ended by an exception, as it does when a write comes while it serialises.
        storage: Any = self.database.storage
        deadline = time.monotonic() + 5
        while storage._changed and time.monotonic() < deadline:
            time.sleep(0.001)
        storage._running = False
        storage._shutdown_lock.acquire(timeout=5)
        storage._handle.close()
        storage._paths.discard(storage._hash)


class Rust(OverTinyDB):
    name = "tinydb-rust"
    survives = "all, unless it hits a write"

    def open(self, folder: Path) -> None:
        self.database = import_module("tinydb_rust").TinyDB(str(folder / "rust.json"))


class Sqlite(Contender):
    name = "sqlite3 WAL NORMAL, JSON text"
    survives = "all"

    def open(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "records.sqlite", isolation_level=None)
        self.connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE records (id INTEGER PRIMARY KEY, text TEXT);")

    def insert(self, record: Record) -> None:
        self.connection.execute("INSERT INTO records (text) VALUES (?)", (json.dumps(record),))

    def insert_multiple(self, records: Sequence[Record]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany("INSERT INTO records (text) VALUES (?)", ((json.dumps(record),) for record in records))
        self.connection.execute("COMMIT")

    def all(self) -> list[Any]:
        return [json.loads(text) for (text,) in self.connection.execute("SELECT text FROM records")]

    def search_title(self, title: str) -> list[Any]:
        return self._search("json_extract(text, '$.metadata_title') = ?", title)

    def search_file(self, item_id: int, file_id: int) -> list[Any]:
        return self._search("json_extract(text, '$.item_id') = ? AND json_extract(text, '$.file_id') = ?", item_id, file_id)

    def close(self) -> None:
        self.connection.close()

    def _search(self, condition: str, *values: Any) -> list[Any]:
        rows = self.connection.execute(f"SELECT text FROM records WHERE {condition}", values)
        return [json.loads(text) for (text,) in rows]


def installed() -> list[type[Contender]]:
    """Those whose packages are here."""
    found: list[type[Contender]] = [Mooring, Stock, Caching, Sqlite]
    for contender, module in ((Better, "BetterJSONStorage"), (Rust, "tinydb_rust")):
        try:
            import_module(module)
        except ImportError:
            continue
        found.append(contender)
    return found
