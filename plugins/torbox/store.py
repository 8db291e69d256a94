"""One TinyDB database on disk: the stock file, and a journal of what was changed since it was written.

    torrents.json              what stock TinyDB reads; rewritten by checkpoints and at the close
    torrents.json.journal/     the commits since then; gone after a close
    .torrents.json.owner       held by the process that has it open
    quarantine/                what could not be read, as it was

A write costs one line in the journal, however many documents there are. Changes in the journal are absolute, so that replaying
them over a file that has some of them already gives the same content; no number has to be kept in the file, whose format is
not ours.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mooring.plugins.torbox.documents import Document, encode_document
from mooring.plugins.torbox.journal_text import record_text
from mooring.plugins.torbox.key_mask import KeyMask, holds_placeholder
from mooring.plugins.torbox.recovery import Recovery
from mooring.plugins.torbox.stock_file import create_file, write_file
from mooring.plugins.torbox.table_state import Change, DocumentId, Tables, TableState
from storage import Finding, StorageError, StoreClosed
from storage.json import Files, FolderLock, Journal, JournalEntry, make_folders

CHECKPOINT_BYTES = 4 * 1024 * 1024
DURABILITIES = ("commit", "always", "never")

_log = logging.getLogger(__name__)


class RecordStore:
    """Thread-safe. `writing` serialises those who read, decide and then commit; readers never wait for the disk."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "commit",
        checkpoint_bytes: int = CHECKPOINT_BYTES,
        mask: KeyMask | None = None,
        files: Files | None = None,
    ) -> None:
        """Opens the database. Raises StoreLocked if another process, or another object of this one, has it open, and OSError.

        With a `mask` the key is kept nowhere, and what older files hold of it is masked now.
        """
        if durability not in DURABILITIES:
            raise ValueError(f"durability is one of {', '.join(DURABILITIES)}, and {durability!r} is none of them")
        self.path = path
        self.findings: list[Finding] = []
        self.writing = threading.RLock()
        self._durability = durability
        self._limit = self._least = checkpoint_bytes
        self.mask = mask
        self._files = files or Files()
        self._tables = Tables()
        self._looking = threading.Lock()
        self._view = TablesView(self, self._looking, self._tables)
        self._checkpointing = threading.Lock()
        self._dirty = False
        self._closed = False
        self._pid = os.getpid()
        make_folders(self._files, path.parent)
        self._owner = FolderLock(path.parent / f".{path.name}.owner")
        try:
            self._journal = Journal(path.with_name(path.name + ".journal"), on_commit=self._on_commit, files=self._files)
            self._load()
        except BaseException:
            self._owner.release()
            raise

    def abandon(self) -> None:
        """Let go of everything as it is on the disk, as the end of the process would."""
        self._closed = True
        self._journal.abandon()
        self._owner.abandon()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def version(self) -> int:
        """Grows with every commit."""
        return self._tables.version

    def look(self) -> TablesView:
        """`with store.look() as tables:` for a consistent view; hold it shortly, and keep only copies."""
        return self._view

    def documents(self, table: str) -> dict[DocumentId, Document]:
        """The documents as they are now; they themselves must not be changed."""
        with self.look() as tables:
            state = tables.states.get(table)
            return {} if state is None else state.documents.copy()

    def live_documents(self, table: str) -> tuple[bool, Mapping[DocumentId, Document]]:
        """Whether there is such a table, and its documents, not copied: to be looked at while `writing` is held."""
        state = self._tables.states.get(table)
        return (False, {}) if state is None else (True, state.documents)

    def take_id(self, table: str) -> int:
        """An id for a new document, for those who hold `writing`."""
        return self._tables.take_id(table)

    def has_table(self, table: str) -> bool:
        return table in self._tables.states

    def document(self, table: str, key: DocumentId) -> Document | None:
        """One document as it is now."""
        self.refuse_if_closed()
        state = self._tables.states.get(table)
        return None if state is None else state.documents.get(key)

    def versioned_documents(self, table: str) -> tuple[int, dict[DocumentId, Document]]:
        """The same, and the version that they are of."""
        with self.look() as tables:
            state = tables.states.get(table)
            return tables.version, {} if state is None else state.documents.copy()

    def table_names(self) -> list[str]:
        with self.look() as tables:
            return list(tables.states)

    def encode(self, document: Mapping[str, Any]) -> tuple[Document, bytes]:
        """The document as it will be kept, and its JSON text. Raises TypeError or ValueError for what is not JSON."""
        kept, text = encode_document(document)
        if self.mask is not None and self.mask.is_suspect(text):
            masked = self.mask.mask_document(kept)
            if masked is not kept:
                return encode_document(masked)
        return kept, text

    def unmasking(self, state: TableState | None) -> Callable[[Document], Document] | None:
        """What puts the key back into a table's documents; None if none has a place for it, or there is no key.

        For those who look at the table, or hold `writing`: it counts for the documents as they are now.
        """
        return None if self.mask is None or state is None or not state.masked else self.mask.unmasking()

    def shown(self, document: Document) -> Document:
        """One document with the key where it belongs."""
        unmask = self.mask.unmasking() if self.mask is not None and holds_placeholder(document) else None
        return document if unmask is None else unmask(document)

    def commit(self, changes: Sequence[Change], *, sync: bool = False) -> None:
        """All of it or nothing: raises CommitFailed if the disk refuses. `sync` survives a power loss. Documents come from `encode`."""
        if not changes:
            return
        self.refuse_if_closed()
        synced = self._durability == "always" or (sync and self._durability != "never")
        self._journal.commit(JournalEntry(record_text(changes), sync=synced, token=changes))
        if self._journal.size > self._limit or self._journal.unsettled:
            self._checkpoint_soon()

    def checkpoint(self) -> None:
        """Write the file anew, so that the journal can begin anew. The database goes on meanwhile."""
        with self._checkpointing:
            if self._closed or not self._dirty:
                return
            with self._journal.lock:
                last = self._journal.rotate()
                content = {name: state.documents.copy() for name, state in self._tables.states.items()}
                self._dirty = False
            try:
                self._limit = max(self._least, write_file(self._files, self.path, content))
                self._journal.unsettled = False
                self._journal.drop(last)
            except BaseException:
                self._dirty = True
                self._limit = self._journal.size + self._least
                raise

    def copy_to(self, path: Path) -> None:
        """Write the content as it is now to another file."""
        with self._looking:
            content = {name: state.documents.copy() for name, state in self._tables.states.items()}
        write_file(self._files, path, content)

    def close(self) -> None:
        """Leaves the file alone behind. Raises OSError if it cannot be written; the journal then stays, and nothing is lost."""
        if os.getpid() != self._pid:
            self.abandon()  # a forked child has a copy of everything, and owns none of it
            return
        with self.writing, self._checkpointing:
            if self._closed:
                return
            self._closed = True
            self._journal.close()
            try:
                if self._dirty:
                    write_file(self._files, self.path, {name: state.documents for name, state in self._tables.states.items()})
                self._journal.remove()
            finally:
                self._owner.release()

    def wait_until_closed(self) -> None:
        """For somebody who saw `closed`: returns when the file is written and let go."""
        with self.writing:
            pass

    def refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed(f"the database {self.path.stem!r} is closed; get it again with getDatabase")
        if os.getpid() != self._pid:
            raise StorageError(f"the database {self.path.stem!r} belongs to the process that opened it; open it again in this one")

    def _load(self) -> None:
        recovery = Recovery(self._files, self.path, self.mask)
        recovery.load(self._tables, self._journal)
        self.findings = recovery.findings
        self._dirty = recovery.dirty or recovery.masked
        if not self.path.exists():
            create_file(self._files, self.path)
        if recovery.masked:
            self._checkpoint_or_report()

    def _on_commit(self, entries: list[JournalEntry]) -> None:
        self._dirty = True
        with self._looking:
            for entry in entries:
                self._tables.apply(entry.token)

    def _checkpoint_soon(self) -> None:
        # The limit is raised at once, so that the commits until the thread runs do not start more of them.
        self._limit = self._journal.size + self._least
        threading.Thread(target=self._checkpoint_or_report, name=f"checkpoint {self.path.stem}", daemon=True).start()

    def _checkpoint_or_report(self) -> None:
        try:
            self.checkpoint()
        except (OSError, StorageError) as error:
            _log.warning("%s could not be rewritten (%s); its journal is kept, and the next try comes when it has grown", self.path, error)


class TablesView:
    """A view on the tables while no commit is applied."""

    def __init__(self, store: RecordStore, lock: threading.Lock, tables: Tables) -> None:
        self._store = store
        self._lock = lock
        self._tables = tables

    def __enter__(self) -> Tables:
        self._store.refuse_if_closed()
        self._lock.acquire()
        return self._tables

    def __exit__(self, *_: object) -> None:
        self._lock.release()
