"""TinyDB's Storage over a `RecordStore`, for `TinyDB(path, storage=JournalStorage)` and for middlewares around it."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinydb.storages import Storage

from mooring.plugins.torbox.documents import private_copy, same_value
from mooring.plugins.torbox.store import RecordStore
from mooring.plugins.torbox.table_state import Change, Drop, Empty, Put, Remove, TableState, document_id

_log = logging.getLogger(__name__)

_STORE_SETTINGS = ("durability", "checkpoint_bytes", "mask", "files")


class JournalStorage(Storage):
    """`write` takes whole databases, as TinyDB's contract says, and commits what is different, all of it or nothing.

    Settings are those of `RecordStore`; stock TinyDB's own for its file (`encoding`, `indent`, ...) have no meaning here.
    """

    def __init__(self, path: str | Path, **settings: Any) -> None:
        super().__init__()
        if unknown := [name for name in settings if name not in _STORE_SETTINGS]:
            _log.info("%s: no use for the settings %s", path, ", ".join(unknown))
        self.store = RecordStore(Path(path).absolute(), **{name: settings[name] for name in _STORE_SETTINGS if name in settings})
        # Also at the end of the interpreter, so that the file is what a stock TinyDB can read.
        self._closing = weakref.finalize(self, self.store.close)

    def read(self) -> dict[str, dict[str, Any]] | None:
        """The caller's own copy of everything, None for a database without tables."""
        with self.store.look() as tables:
            content = {name: state.documents.copy() for name, state in tables.states.items()}
        shown = self.store.shown
        return {name: {str(key): private_copy(shown(document)) for key, document in documents.items()} for name, documents in content.items()} or None

    def write(self, data: Mapping[str, Mapping[Any, Mapping[str, Any]]]) -> None:
        with self.store.writing:
            self.store.refuse_if_closed()
            with self.store.look() as tables:
                present = dict(tables.states)
            changes: list[Change] = [Drop(name) for name in present if name not in data]
            for name, documents in data.items():
                puts = [Put(name, document_id(str(key)), *self.store.encode(document)) for key, document in documents.items()]
                changes += _differences(name, present.get(name), puts)
            self.store.commit(changes)

    def close(self) -> None:
        self._closing.detach()
        self.store.close()


def _differences(name: str, state: TableState | None, puts: Iterable[Put]) -> list[Change]:
    wanted = {put.key: put for put in puts}
    if state is None:
        return [Empty(name), *wanted.values()]
    old = state.documents
    kept = [key for key in old if key in wanted]
    if kept != list(wanted)[: len(kept)]:
        # Changes cannot bring documents into another order; writing the table anew can.
        return [Empty(name), *wanted.values()]
    changes: list[Change] = [Remove(name, key) for key in old if key not in wanted]
    changes += [put for key, put in wanted.items() if key not in old or not same_value(old[key], put.document)]
    return changes
