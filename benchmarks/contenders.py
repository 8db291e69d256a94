"""What the storage benchmark compares: one small adapter for each way of keeping a dict on disk."""

from __future__ import annotations

import dbm
import importlib.util
import json
import os
import shelve
import sqlite3
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

Value = dict[str, Any]
Pairs = list[tuple[str, Value]]


@dataclass(frozen=True)
class Session:
    """An open store. `mapping` is used with `[]` only, so that nobody pays for a wrapper that others do not have."""

    mapping: Any
    transaction: Callable[[Pairs], None]
    """A few changes at once, together if the contender can."""
    bulk: Callable[[dict[str, Value]], None]


@dataclass(frozen=True)
class Contender:
    """`survives` is what a single set outlives once it has returned; `synced` says whether a transaction outlives a power loss."""

    name: str
    survives: str
    synced: bool
    open: Callable[[Path], AbstractContextManager[Session]]


def make_key(number: int) -> str:
    """Ids as chat platforms give them: in no order, which is what indexes of databases have to live with."""
    return f"member-{number * 2_654_435_761 % 2**32:08x}"


def make_value(number: int) -> Value:
    """About sixty bytes of JSON, as a bar or a score would be."""
    return {"hp": number % 100, "max": 100, "name": f"member {number}", "x": number / 7}


def _mooring(durability: str) -> Callable[[Path], AbstractContextManager[Session]]:
    @contextmanager
    def opened(folder: Path) -> Iterator[Session]:
        from storage.moobius_storage import MoobiusStorage

        settings = {"root_dir": str(folder), "durability": durability}
        with MoobiusStorage("bench", "tavern", [{"implementation": "json", "name": "bars", "settings": settings}]) as storage:
            bars: Any = storage.bars

            def transaction(pairs: Pairs) -> None:
                with storage.transaction():
                    for key, value in pairs:
                        bars[key] = value

            yield Session(bars, transaction, bars.update)

    return opened


@contextmanager
def _moobius(folder: Path) -> Iterator[Session]:
    from moobius.database.storage import MoobiusStorage

    config = [{"implementation": "json", "name": "bars", "settings": {"root_dir": str(folder)}, "load": True, "clear": False}]
    storage: Any = MoobiusStorage("bench", "tavern", config)
    # Its own update() is that of dict, which writes no file, so the changes are made one by one.
    yield Session(storage.bars, _one_by_one(storage.bars), lambda values: _one_by_one(storage.bars)(values.items()))


@contextmanager
def _sqlitedict(folder: Path) -> Iterator[Session]:
    from sqlitedict import SqliteDict

    with SqliteDict(folder / "bars.sqlite", autocommit=True) as bars:
        yield Session(bars, bars.update, bars.update)


@contextmanager
def _diskcache(folder: Path) -> Iterator[Session]:
    from diskcache import Index

    bars = Index(str(folder))

    def transaction(pairs: Iterable[tuple[str, Value]]) -> None:
        with bars.transact():
            for key, value in pairs:
                bars[key] = value

    with closing(bars.cache):
        yield Session(bars, transaction, lambda values: transaction(values.items()))


@contextmanager
def _shelve(folder: Path) -> Iterator[Session]:
    with shelve.open(str(folder / "bars")) as bars:
        yield Session(bars, _one_by_one(bars), bars.update)


def _one_by_one(bars: MutableMapping[str, Value]) -> Callable[[Iterable[tuple[str, Value]]], None]:
    def change(pairs: Iterable[tuple[str, Value]]) -> None:
        for key, value in pairs:
            bars[key] = value

    return change


class SqliteTable:
    """A table of keys and JSON texts, one upsert per commit, as one would write it by hand and with care."""

    _UPSERT = "INSERT INTO bars VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

    def __init__(self, path: Path, synchronous: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(f"PRAGMA synchronous = {synchronous}")
        self.connection.execute("CREATE TABLE IF NOT EXISTS bars (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder().decode

    def __setitem__(self, key: str, value: Value) -> None:
        self.connection.execute(self._UPSERT, (key, self._encode(value)))

    def __getitem__(self, key: str) -> Value:
        [encoded] = self.connection.execute("SELECT value FROM bars WHERE key = ?", (key,)).fetchone()
        value: Value = self._decode(encoded)
        return value

    def __delitem__(self, key: str) -> None:
        self.connection.execute("DELETE FROM bars WHERE key = ?", (key,))

    def items(self) -> Iterator[tuple[str, Value]]:
        for key, encoded in self.connection.execute("SELECT key, value FROM bars"):
            yield key, self._decode(encoded)

    def many(self, pairs: Iterable[tuple[str, Value]]) -> None:
        self.connection.execute("BEGIN")
        self.connection.executemany(self._UPSERT, ((key, self._encode(value)) for key, value in pairs))
        self.connection.execute("COMMIT")


def _sqlite(synchronous: str) -> Callable[[Path], AbstractContextManager[Session]]:
    @contextmanager
    def opened(folder: Path) -> Iterator[Session]:
        table = SqliteTable(folder / "bars.sqlite", synchronous)
        with closing(table.connection):
            yield Session(table, table.many, lambda values: table.many(values.items()))

    return opened


class WholeFile(dict[str, Value]):
    """A dict that is dumped as a whole after each change."""

    def __init__(self, path: Path) -> None:
        super().__init__(json.loads(path.read_text()) if path.exists() else {})
        self._path = path

    def __setitem__(self, key: str, value: Value) -> None:
        super().__setitem__(key, value)
        self._dump()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._dump()

    def many(self, pairs: Iterable[tuple[str, Value]]) -> None:
        super().update(pairs)
        self._dump()

    def _dump(self) -> None:
        unfinished = self._path.with_suffix(".tmp")
        with unfinished.open("w") as file:
            json.dump(self, file)
        unfinished.replace(self._path)


@contextmanager
def _whole_file(folder: Path) -> Iterator[Session]:
    bars = WholeFile(folder / "bars.json")
    yield Session(bars, bars.many, lambda values: bars.many(values.items()))


@contextmanager
def _plain_dict(folder: Path) -> Iterator[Session]:
    bars: dict[str, Value] = {}
    yield Session(bars, bars.update, bars.update)


def dbm_name(folder: Path) -> str:
    """Which of Python's dbm modules made the shelf in the folder."""
    return dbm.whichdb(str(folder / "bars")) or "none"


PLAIN_DICT = Contender("dict in memory", "nothing", False, _plain_dict)
MOORING = Contender("Mooring", "kill -9", True, _mooring("commit"))
NEVER_SYNCED = Contender("Mooring, never synced", "kill -9", False, _mooring("never"))
MOOBIUS = Contender("moobius 1.8.0", "kill -9, unless mid-write", False, _moobius)
SQLITE_NORMAL = Contender("sqlite3 WAL NORMAL", "kill -9", False, _sqlite("NORMAL"))
SQLITE_FULL = Contender("sqlite3 WAL FULL", "power loss", True, _sqlite("FULL"))

_OPTIONAL = {
    "moobius": MOOBIUS,
    "sqlitedict": Contender("sqlitedict", "power loss", True, _sqlitedict),
    "diskcache": Contender("diskcache Index", "kill -9", False, _diskcache),
}
CONTENDERS = [
    PLAIN_DICT,
    MOORING,
    NEVER_SYNCED,
    *(contender for module, contender in _OPTIONAL.items() if importlib.util.find_spec(module)),
    SQLITE_NORMAL,
    SQLITE_FULL,
    Contender("shelve", "nothing", False, _shelve),
    Contender("whole-file json.dump", "kill -9", False, _whole_file),
]
MISSING = [module for module in _OPTIONAL if not importlib.util.find_spec(module)]


def by_name(name: str) -> Contender:
    """The contender that a table calls so."""
    return next(contender for contender in CONTENDERS if contender.name == name)


def bytes_on_disk(folder: Path) -> tuple[int, int]:
    """The lengths of all files together, and the disk space that they occupy."""
    stats = [os.stat(path) for path in folder.rglob("*")]
    return sum(stat.st_size for stat in stats), sum(stat.st_blocks * 512 for stat in stats)
