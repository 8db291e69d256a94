"""The tables of one database in memory, and the changes that a commit makes to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from mooring.plugins.torbox.documents import Document, holds_mutable
from mooring.plugins.torbox.key_mask import holds_placeholder

DocumentId = int | str
"""An int where the file's key is written as one; other tools may have put other keys there."""

INDEXED: tuple[tuple[str, ...], ...] = (("item_id",), ("item_id", "file_id"))


class Put(NamedTuple):
    """Set one document."""

    table: str
    key: DocumentId
    document: Document
    text: bytes


@dataclass(frozen=True)
class Remove:
    """Remove one document."""

    table: str
    key: DocumentId


@dataclass(frozen=True)
class Empty:
    """Remove all documents of a table; the table is there afterwards, also if it was not before."""

    table: str


@dataclass(frozen=True)
class Drop:
    """Remove a table."""

    table: str


Change = Put | Remove | Empty | Drop


def document_id(text: str) -> DocumentId:
    """The id that a key of the file stands for."""
    if text.isascii() and text.isdigit() and (text[0] != "0" or text == "0"):
        return int(text)
    return text


class FieldIndex:
    """Document ids by the values of some fields."""

    def __init__(self, fields: tuple[str, ...], documents: dict[DocumentId, Document]) -> None:
        self._fields = fields
        self._ids: dict[tuple[Any, ...], dict[DocumentId, None]] = {}
        for key, document in documents.items():
            self.add(key, document)

    def add(self, key: DocumentId, document: Document) -> None:
        if (values := self._values(document)) is not None:
            self._ids.setdefault(values, {})[key] = None

    def discard(self, key: DocumentId, document: Document) -> None:
        values = self._values(document)
        if values is not None and (ids := self._ids.get(values)) is not None:
            ids.pop(key, None)
            if not ids:
                del self._ids[values]

    def find(self, values: tuple[Any, ...]) -> list[DocumentId]:
        return list(self._ids.get(values, ()))

    def _values(self, document: Document) -> tuple[Any, ...] | None:
        """None for a document that no comparison with a scalar can find."""
        values = tuple(document.get(field, _ABSENT) for field in self._fields)
        return None if any(value is _ABSENT or type(value) in (list, dict) for value in values) else values


_ABSENT = object()


class TableState:
    """One table's documents in their order, with what is derived from them."""

    def __init__(self, documents: dict[DocumentId, Document] | None = None) -> None:
        self.documents: dict[DocumentId, Document] = {}
        self.mutable: set[DocumentId] = set()
        """Ids of the documents that hold lists or objects, which readers must get their own copies of."""
        self.masked: set[DocumentId] = set()
        """Ids of the documents that have a place for the key."""
        self.ascending = True
        """Whether the order of the documents is that of their ids, so that a few ids can be put in order without a scan."""
        self.next_id = 1
        self._last: int = 0
        self._indexes: dict[tuple[str, ...], FieldIndex] = {}
        for key, document in (documents or {}).items():
            self.put(key, document)

    def put(self, key: DocumentId, document: Document) -> None:
        old = self.documents.get(key)
        if old is None:
            self._note_new(key)
        self.documents[key] = document
        if holds_mutable(document):
            self.mutable.add(key)
        else:
            self.mutable.discard(key)
        if holds_placeholder(document):
            self.masked.add(key)
        else:
            self.masked.discard(key)
        for index in self._indexes.values():
            if old is not None:
                index.discard(key, old)
            index.add(key, document)

    def remove(self, key: DocumentId) -> None:
        old = self.documents.pop(key, None)
        if old is not None:
            self.mutable.discard(key)
            self.masked.discard(key)
            for index in self._indexes.values():
                index.discard(key, old)

    def index(self, fields: tuple[str, ...]) -> FieldIndex:
        """Built when it is first asked for."""
        index = self._indexes.get(fields)
        if index is None:
            index = self._indexes[fields] = FieldIndex(fields, self.documents)
        return index

    def _note_new(self, key: DocumentId) -> None:
        if not isinstance(key, int) or key <= self._last:
            self.ascending = False
        else:
            self._last = key
        if isinstance(key, int) and key >= self.next_id:
            self.next_id = key + 1


class Tables:
    """All tables of one database. Not locked: its owner decides who may look when."""

    def __init__(self) -> None:
        self.states: dict[str, TableState] = {}
        self.version = 0
        self._next_ids: dict[str, int] = {}

    def load(self, content: dict[str, dict[str, Document]]) -> None:
        for name, documents in content.items():
            self.states[name] = TableState({document_id(key): document for key, document in documents.items()})

    def take_id(self, name: str) -> int:
        """An id for a new document; none is given twice, unless the table was emptied since."""
        state = self.states.get(name)
        taken = max(self._next_ids.get(name, 1), 1 if state is None else state.next_id)
        self._next_ids[name] = taken + 1
        return taken

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if type(change) is Put:
                self.state(change.table).put(change.key, change.document)
            elif isinstance(change, Remove):
                if (state := self.states.get(change.table)) is not None:
                    state.remove(change.key)
            elif isinstance(change, Empty):
                self.states[change.table] = TableState()
                self._next_ids.pop(change.table, None)
            else:
                self.states.pop(change.table, None)
                self._next_ids.pop(change.table, None)
        self.version += 1

    def state(self, name: str) -> TableState:
        """The table, made if it is not there yet."""
        state = self.states.get(name)
        if state is None:
            state = self.states[name] = TableState()
        return state
