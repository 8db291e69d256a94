"""What TinyDB's operations work on: a table that looks whole and holds only what they touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from mooring.plugins.torbox.documents import Document, private_copy, same_value
from mooring.plugins.torbox.store import RecordStore
from mooring.plugins.torbox.table_state import Change, DocumentId, Empty, Put, Remove

_REMOVED = object()


class Draft(MutableMapping[Any, Any]):
    """A view of a table's documents by id that notes what is done to it; the documents themselves stay as they are.

    TinyDB hands such a table to its operations as a dict, which it makes anew for each of them. This one costs what is touched.
    """

    def __init__(self, documents: Mapping[DocumentId, Document], store: RecordStore) -> None:
        self._base: Mapping[DocumentId, Document] = documents
        self._store = store
        self._touched: dict[DocumentId, Any] = {}
        self._emptied = False

    def __getitem__(self, key: DocumentId) -> Any:
        document = self._touched.get(key)
        if document is None:
            # The operation may change it in place, so from here on it counts as touched.
            document = self._touched[key] = private_copy(self._store.shown(self._base[key]))
        elif document is _REMOVED:
            raise KeyError(key)
        return document

    def __setitem__(self, key: DocumentId, document: Any) -> None:
        self._touched[key] = document

    def __delitem__(self, key: DocumentId) -> None:
        if key not in self:
            raise KeyError(key)
        self._touched[key] = _REMOVED

    def __contains__(self, key: object) -> bool:
        document = self._touched.get(key)  # type: ignore[call-overload]
        return key in self._base if document is None else document is not _REMOVED

    def __iter__(self) -> Iterator[DocumentId]:
        for key in self._base:
            if self._touched.get(key) is not _REMOVED:
                yield key
        for key, document in list(self._touched.items()):
            if key not in self._base and document is not _REMOVED:
                yield key

    def __len__(self) -> int:
        removed = sum(1 for key, document in self._touched.items() if document is _REMOVED and key in self._base)
        added = sum(1 for key, document in self._touched.items() if document is not _REMOVED and key not in self._base)
        return len(self._base) - removed + added

    def clear(self) -> None:
        """All at once, whatever there was."""
        self._base = {}
        self._touched = {}
        self._emptied = True

    def changes(self, table: str) -> list[Change]:
        """What to commit. Raises TypeError or ValueError if a document is not JSON."""
        changes: list[Change] = [Empty(table)] if self._emptied else []
        for key, document in self._touched.items():
            old = self._base.get(key)
            if document is _REMOVED:
                if old is not None:
                    changes.append(Remove(table, key))
                continue
            kept, text = self._store.encode(document)
            if old is None or not same_value(old, kept):
                changes.append(Put(table, key, kept, text))
        return changes
