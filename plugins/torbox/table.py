"""TinyDB's tables over a `RecordStore`: the same operations, each for the price of what it touches.

TinyDB itself reads a whole table for each operation and writes the whole database after it. Here its operations work on a
`Draft`, and the few that would look at every document are given the ones that count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Document, Table

from mooring.plugins.torbox.documents import Document as Content
from mooring.plugins.torbox.documents import private_copy
from mooring.plugins.torbox.draft import Draft
from mooring.plugins.torbox.queries import Candidates, Unmask
from mooring.plugins.torbox.search_index import SearchIndex
from mooring.plugins.torbox.store import RecordStore
from mooring.plugins.torbox.table_state import Change, DocumentId, Drop, Empty, Put, document_id
from mooring.plugins.torbox.tinydb_storage import JournalStorage

Fields = Mapping[Any, Any] | Callable[[MutableMapping[Any, Any]], None]


class JournalTable(Table):
    """A TinyDB table that is also thread-safe: each operation happens whole, and readers see it before or after.

    With a middleware between it and the storage it is a stock table, because a middleware expects whole databases.
    """

    def __init__(self, storage: Storage, name: str, cache_size: int = Table.default_query_cache_capacity, persist_empty: bool = False) -> None:
        self._store: RecordStore | None = storage.store if isinstance(storage, JournalStorage) else None
        self._cache_version = -1
        super().__init__(storage, name, cache_size=cache_size, persist_empty=persist_empty)

    def insert(self, document: Mapping[Any, Any]) -> int:
        store = self._store
        if store is None or isinstance(document, self.document_class) or not isinstance(document, Mapping):
            with self._exclusively():
                return super().insert(document)
        # The operation that is done most: the same as TinyDB's, without the detour over a draft.
        content, text = store.encode(document)
        with store.writing:
            key = store.take_id(self.name)
            put = Put(self.name, key, content, text)
            store.commit([put] if store.has_table(self.name) else [Empty(self.name), put])
            if self._query_cache:
                self.clear_cache()
        return key

    def insert_multiple(self, documents: Iterable[Mapping[Any, Any]]) -> list[int]:
        with self._exclusively():
            return super().insert_multiple(documents)

    def update(self, fields: Fields, cond: QueryLike | None = None, doc_ids: Iterable[int] | None = None) -> list[int]:
        with self._exclusively():
            return super().update(fields, cond, self._narrowed(cond, doc_ids))

    def update_multiple(self, updates: Iterable[tuple[Fields, QueryLike]]) -> list[int]:
        with self._exclusively():
            return super().update_multiple(updates)

    def upsert(self, document: Mapping[Any, Any], cond: QueryLike | None = None) -> list[int]:
        with self._exclusively():
            return super().upsert(document, cond)

    def remove(self, cond: QueryLike | None = None, doc_ids: Iterable[int] | None = None) -> list[int]:
        with self._exclusively():
            return super().remove(cond, self._narrowed(cond, doc_ids))

    def all(self) -> list[Document]:
        if self._store is None:
            return super().all()
        documents, mutable, unmask = self._snapshot()
        if unmask is None:
            return self._views(documents.items(), mutable)
        return self._views(((key, unmask(content)) for key, content in documents.items()), mutable)

    def search(self, cond: QueryLike) -> list[Document]:
        if self._store is None:
            return super().search(cond)
        with self._store.look() as tables:
            version = tables.version
            state = tables.states.get(self.name)
            unmask = self._store.unmasking(state)
            # With a key in the documents, answers are of no use for the next time: it may have been changed until then.
            if self._cache_version != version or unmask is not None:
                self._query_cache.clear()
                self._cache_version = version
            cached = self._query_cache.get(cond)
            mutable = set() if state is None else state.mutable.copy()
            candidates = None if state is None or cached is not None else Candidates(state, cond, unmask)
        contents: Any = cached if cached is not None else candidates.matching() if candidates is not None else []
        if cached is None and getattr(cond, "is_cacheable", lambda: True)():
            self._remember(cond, contents, version)
        return self._views(contents, mutable)

    def get(self, cond: QueryLike | None = None, doc_id: int | None = None, doc_ids: list[int] | None = None) -> Any:
        if self._store is None:
            return super().get(cond, doc_id, doc_ids)  # type: ignore[arg-type] # its overloads leave this call out
        if doc_id is not None:
            content = self._store.document(self.name, document_id(str(doc_id)))
            return None if content is None else self.document_class(private_copy(self._store.shown(content)), doc_id)
        if doc_ids is not None:
            return self._get_several({document_id(str(each)) for each in doc_ids})
        if cond is None:
            raise RuntimeError("You have to pass either cond or doc_id or doc_ids")
        candidates = self._candidates(cond)
        first = None if candidates is None else candidates.first()
        return None if first is None else self._view(first[0], private_copy(first[1]))

    def clear_cache(self) -> None:
        if self._store is None:
            super().clear_cache()
            return
        with self._store.look():
            super().clear_cache()

    def __len__(self) -> int:
        if self._store is None:
            return super().__len__()  # type: ignore[no-untyped-call, no-any-return]
        return len(self._store.live_documents(self.name)[1])

    def __iter__(self) -> Iterator[Document]:
        return super().__iter__() if self._store is None else iter(self.all())

    def _get_next_id(self) -> Any:
        if self._store is None:
            return super()._get_next_id()  # type: ignore[no-untyped-call]
        # An id that an operation took and did not use is not given again, as in TinyDB.
        return self._store.take_id(self.name)

    def _read_table(self) -> dict[str, Mapping[Any, Any]]:
        if self._store is None:
            return super()._read_table()
        shown = self._store.shown
        return {str(key): private_copy(shown(content)) for key, content in self._store.documents(self.name).items()}

    def _update_table(self, updater: Callable[[dict[int, Mapping[Any, Any]]], None]) -> None:
        store = self._store
        if store is None:
            super()._update_table(updater)
            return
        with store.writing:
            store.refuse_if_closed()
            present, documents = store.live_documents(self.name)
            draft = Draft(documents, store)
            updater(draft)  # type: ignore[arg-type] # all of a dict that TinyDB's operations use
            changes: list[Change] = draft.changes(self.name)
            if not present and not (changes and isinstance(changes[0], Empty)):
                changes.insert(0, Empty(self.name))
            store.commit(changes)
            self.clear_cache()

    def _exclusively(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._store is None else self._store.writing

    def _narrowed(self, cond: QueryLike | None, doc_ids: Iterable[int] | None) -> Any:
        """The ids that a condition means, so that the operation need not look at all documents."""
        if self._store is None or doc_ids is not None or cond is None:
            return doc_ids
        candidates = self._candidates(cond)
        return [] if candidates is None else [key for key, _ in candidates.matching()]

    def _candidates(self, cond: QueryLike) -> Candidates | None:
        assert self._store is not None
        with self._store.look() as tables:
            state = tables.states.get(self.name)
            return None if state is None else Candidates(state, cond, self._store.unmasking(state))

    def _get_several(self, wanted: set[DocumentId]) -> list[Document]:
        assert self._store is not None
        with self._store.look() as tables:
            state = tables.states.get(self.name)
            if state is None:
                return []
            present: Any = [key for key in wanted if key in state.documents]
            order = sorted(present) if state.ascending else [key for key in state.documents if key in wanted]
            contents = [(key, state.documents[key]) for key in order]
        return [self._view(key, private_copy(self._store.shown(content))) for key, content in contents]

    def _snapshot(self) -> tuple[dict[DocumentId, Content], set[DocumentId], Unmask | None]:
        assert self._store is not None
        with self._store.look() as tables:
            state = tables.states.get(self.name)
            # A copy of the dict, and no list of pairs: ten thousand pairs would wake the garbage collector several times.
            return ({}, set(), None) if state is None else (state.documents.copy(), state.mutable.copy(), self._store.unmasking(state))

    def _views(self, contents: Iterable[tuple[Any, Content]], mutable: set[DocumentId]) -> list[Document]:
        """What callers get: theirs to change. Flat documents, which most are, need no deep copy."""
        if not mutable and self.document_class is Document and self.document_id_class is int:
            return _flat_views(contents)
        return [self._view(key, private_copy(content) if key in mutable else content) for key, content in contents]

    def _view(self, key: Any, content: Content) -> Document:
        return self.document_class(content, key if self.document_id_class is int else self.document_id_class(key))

    def _remember(self, cond: QueryLike, contents: Any, version: int) -> None:
        assert self._store is not None
        with self._store.look():
            if self._cache_version == version:
                self._query_cache[cond] = contents


def _flat_views(contents: Iterable[tuple[Any, Content]]) -> list[Document]:
    """What the constructor does, without calling it: for long lists that is half of the time."""
    new, views = Document.__new__, []
    for key, content in contents:
        view = new(Document)
        view.update(content)
        view.doc_id = key  # an int, but for ids that other tools wrote
        views.append(view)
    return views


class JournalDB(TinyDB):
    """A TinyDB whose writes cost the same however many documents it holds. `JournalDB("torrents.json")`."""

    table_class = JournalTable
    default_storage_class = JournalStorage  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.search_index = SearchIndex()

    @property
    def store(self) -> RecordStore:
        """The store below; AttributeError when a middleware lies between."""
        store: RecordStore = self._storage.store  # type: ignore[attr-defined]
        return store

    def __bool__(self) -> bool:
        """True, also without documents: the published way to ask whether `getDatabase` gave a database is `if db:`."""
        return True

    def tables(self) -> set[str]:
        return set(self.store.table_names()) if self._direct else super().tables()

    def drop_tables(self) -> None:
        if not self._direct:
            super().drop_tables()
            return
        with self.store.writing:
            self.store.commit([Drop(name) for name in self.store.table_names()])
            self._tables.clear()

    def drop_table(self, name: str) -> None:
        if not self._direct:
            super().drop_table(name)
            return
        with self.store.writing:
            self._tables.pop(name, None)
            if name in self.store.table_names():
                self.store.commit([Drop(name)])

    @property
    def _direct(self) -> bool:
        return isinstance(self._storage, JournalStorage)
