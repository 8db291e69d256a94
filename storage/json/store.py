"""A folder of dicts: their tables in memory, the journal that has every commit, and the snapshots that replace it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from storage.database_interface import Finding, Origin
from storage.encoding.codec import Encoded
from storage.engine_support.committer import Committer, tell
from storage.errors import StorageBusy, StorageError, StorageUnavailable, StoreClosed
from storage.files import Files, make_folders, write_all, write_beside
from storage.json.checkpoints import Checkpoints
from storage.json.entry import JournalEntry
from storage.json.journal import Journal
from storage.json.journal_records import NOBODY, History, record_text, report, single_text, sort_history
from storage.json.lockfile import FolderLock
from storage.json.paths import JOURNAL, OWNER, PROBE
from storage.json.quarantine import Quarantine
from storage.json.restoring import finish_restoring
from storage.json.retained import RetainedSegments, Retention
from storage.json.snapshots import render
from storage.json.table import Change, Table, Watcher, read_snapshot
from storage.locking import PatientLock
from storage.outcome import Outcome

_log = logging.getLogger(__name__)

CHECKPOINT_BYTES = 4 << 20
_SNAPSHOT_FACTOR = 2
_PAUSE = 0.0005
_PROBE_BYTES = 1 << 16
_Parts = Sequence[tuple[Table, Sequence[Change]]]


class Store:
    """Owns the folder from construction to `close`. Thread-safe. Raises StoreLocked if another process owns it.

    A checkpoint comes when the journal has grown by `checkpoint_bytes` or by twice the size of the snapshots to be written,
    whichever is more: so the cost per commit stays the same however large the store is.

    In memory are the tables that somebody holds, and those with changes that no snapshot has yet.

    `files`, `committer` and `checkpoints` are the disk and the threads beside the callers; a simulation hands in its own.
    """

    def __init__(
        self,
        root: Path,
        *,
        files: Files | None = None,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
        retention: Retention | None = None,
        committer: type[Committer[JournalEntry]] = Committer,
        checkpoints: type[Checkpoints] = Checkpoints,
    ) -> None:
        self.root = root
        self.pid = os.getpid()
        self._files = Files() if files is None else files
        self._least = self._limit = checkpoint_bytes
        # Weak, as engines are forgotten at any moment: counting them would need a lock in their finalizers. The list of dirty tables, commits on
        # their way and a checkpoint hold theirs, so whatever is forgotten here stands in its snapshot.
        self._tables: WeakValueDictionary[str, Table] = WeakValueDictionary()
        self._dirty: list[Table] = []
        self._dirty_size = 0
        self._history: History = {}
        self._tables_lock = PatientLock()
        self._load_lock = PatientLock()
        self._apply_lock = PatientLock()
        self._checkpoint_lock = PatientLock()
        self._quarantine = Quarantine(root, self._files)
        retained = None if retention is None else RetainedSegments(root, self._files, retention)
        self._journal = Journal(root / JOURNAL, on_commit=self._apply, files=self._files, retained=retained)
        self._committer = committer(self._commit_all, "mooring-commits", "the store is closed")
        self._checkpoints = checkpoints(self._checkpoint_in_background)
        make_folders(self._files, root)
        self._ownership = FolderLock(root / OWNER)
        try:
            finish_restoring(root, self._files)
            self.findings: list[Finding] = self._open()
        except BaseException:
            self._ownership.release()
            raise

    @property
    def problem(self) -> str | None:
        """What is wrong with the threads of the store, in words for an operator."""
        return self._committer.problem or self._checkpoints.problem

    def table(self, domain: str) -> Table:
        """The one table of the domain, perhaps not loaded yet. It stays in memory as long as the caller holds it."""
        with self._tables_lock.ready():
            table = self._tables.get(domain)
            if table is None:
                table = self._tables[domain] = Table(self.root, domain)
            return table

    def watch(self, table: Table, watcher: Watcher) -> None:
        """From now on the watcher's `version` is the table's."""
        with self._apply_lock.ready():
            table.watch(watcher)

    def load(self, table: Table) -> None:
        """Makes sure that `table.values` is there. Raises StorageUnavailable if the disk does not answer."""
        if not table.loaded:
            self._check_process()
            self._load_once(table)

    def copy(self, table: Table) -> dict[str, Encoded]:
        """The values between two commits, never in the middle of one."""
        self.load(table)
        with self._apply_lock.ready():
            return table.values.copy()

    def commit(self, parts: _Parts, origin: Origin = NOBODY, *, sync: bool) -> None:
        """All of it, or CommitFailed and nothing."""
        entry = self._entry(parts, origin, sync)
        try:
            self._journal.commit(entry)
        finally:
            self._after_commit()

    async def commit_async(self, parts: _Parts, origin: Origin = NOBODY, *, sync: bool) -> None:
        """The same, without blocking the loop, and sharing one sync with all that commit at the same time."""
        await self._committer.commit(self._entry(parts, origin, sync))

    def hand_in(self, parts: _Parts, origin: Origin, outcome: Outcome, after: JournalEntry | None, *, sync: bool) -> JournalEntry:
        """The same without waiting: `outcome` is settled when it is over. It fails if `after`, which was handed in before it, does."""
        entry = self._entry(parts, origin, sync)
        entry.after = after
        self._committer.hand_in(entry, outcome)
        return entry

    def commit_one(self, table: Table, key: str, value: Encoded | None, sync: bool) -> None:
        """`commit` of one change in half the time."""
        if not table.loaded or os.getpid() != self.pid:
            self.load(table)
            self._check_process()
        journal = self._journal
        try:
            journal.commit(JournalEntry(single_text(table.name, key, value), sync, ((table, ((key, value),)),)))
        finally:
            if journal.size > self._limit or journal.unsettled:
                self._checkpoints.wake()

    def probe(self) -> None:
        """Write as much as many commits do beside the journal, and remove it again. Raises StorageUnavailable if the disk refuses."""
        self._check_process()
        path = self.root / PROBE
        try:
            descriptor = self._files.overwrite(path)
            try:
                write_all(self._files, descriptor, bytes(_PROBE_BYTES))
                self._files.sync_data(descriptor)
            finally:
                self._files.close(descriptor)
                self._files.unlink(path)
        except OSError as error:
            raise StorageUnavailable(f"cannot write to {self.root}: {error}") from error

    @property
    def sequence(self) -> int:
        """Number of the last commit that is known: that of a dict which nobody has loaded yet may be higher."""
        return self._journal.sequence

    def checkpoint(self, *, pause: float = 0.0) -> None:
        """Writes snapshots of what has changed, and drops the journal that they cover. Raises OSError, and then nothing is lost."""
        with self._checkpoint_lock.ready():
            self._checkpoint(pause)

    @contextmanager
    def frozen(self, *, pause: float = 0.0) -> Iterator[None]:
        """Inside of the block the snapshots on the disk say what all dicts were at one moment, and stay as they are; commits go on, in the
        journal. Raises what `checkpoint` raises."""
        with self._checkpoint_lock.ready():
            self._checkpoint(pause)
            yield

    def close(self) -> None:
        """A last checkpoint; only snapshots stay. If the disk refuses, the journal stays, and the next opening replays it."""
        if os.getpid() != self.pid:
            return
        self._committer.close()
        self._checkpoints.close()
        self._journal.close()
        try:
            with self._checkpoint_lock.ready():
                self._quarantine.settle()
                for table in self._dirty:
                    self._load_once(table)  # nobody may have asked for it since the journal was replayed
                self._write_snapshots([(table, table.values) for table in self._dirty], self._journal.sequence, 0.0)
                self._journal.remove()
        except (OSError, StorageError) as error:
            _log.warning("%s: the last checkpoint failed (%s); nothing is lost, the next opening replays the journal", self.root, error)
        finally:
            self._ownership.release()

    def abandon(self) -> None:
        """Closes the files and does nothing else: for a forked child, whose parent goes on using the folder."""
        self._journal.abandon()
        self._ownership.abandon()

    def _checkpoint(self, pause: float) -> None:
        self._quarantine.settle()
        for table in list(self._dirty):
            self.load(table)
        with self._journal.lock.ready():
            last = self._journal.rotate()
            self._journal.unsettled = False
            dirty, self._dirty = self._dirty, []
            self._limit, self._dirty_size = self._least, 0
            for table in dirty:
                table.dirty = False
            sequence = self._journal.sequence
            copies = [(table, table.values.copy()) for table in dirty]
        try:
            self._write_snapshots(copies, sequence, pause)
            self._journal.drop(last)
        except BaseException:
            with self._journal.lock.ready():
                self._journal.unsettled = True
                for table in dirty:
                    self._mark(table)
            raise

    def _open(self) -> list[Finding]:
        replay = self._journal.open()
        self._history = sort_history(replay)
        for domain in self._history:
            self._mark(self.table(domain))
        findings = report(replay, self._quarantine, self._files)
        for finding in findings:
            _log.log(logging.INFO if finding.kind == "replayed" else logging.WARNING, "%s: %s", finding.where, finding.reason)
        if any(damage.kind != "torn" for damage in replay.damages):
            self._checkpoints.wake()
        return findings

    def _load_once(self, table: Table) -> None:
        with self._load_lock.ready():
            if not table.loaded:
                try:
                    self._load(table)
                except OSError as error:
                    raise StorageUnavailable(f"cannot read {table.path}: {error}") from error

    def _load(self, table: Table) -> None:
        snapshot = read_snapshot(table, self.root, self._files, self._quarantine)
        for finding in table.findings:
            _log.warning("%s: %s; kept in %s", finding.where, finding.reason, finding.kept)
        table.values = snapshot.values
        table.size = snapshot.size
        for sequence, change in self._history.pop(table.domain, ()):
            if sequence > snapshot.sequence:
                table.replay(*change)
        with self._journal.lock.ready():
            # A record counts for a table only if it is newer than the table's snapshot.
            self._journal.sequence = max(self._journal.sequence, snapshot.sequence)
            if snapshot.faults:
                self._mark(table)
        table.loaded = True

    def _entry(self, parts: _Parts, origin: Origin, sync: bool) -> JournalEntry:
        self._check_process()
        for table, _ in parts:
            self.load(table)
        return JournalEntry(record_text(parts, origin), sync=sync, token=parts)

    def _commit_all(self, entries: list[JournalEntry]) -> None:
        """What the committer's thread does with all that tasks have handed in."""
        try:
            self._journal.commit_all(entries)
        finally:
            tell(entries)
        self._after_commit()

    def _apply(self, entries: list[JournalEntry]) -> None:
        try:
            lock = self._apply_lock.ready()
        except StorageBusy:
            self._apply_each(entries)  # who holds it only copies a table, was interrupted at it, and goes on when this is done
            return
        with lock:
            self._apply_each(entries)

    def _apply_each(self, entries: list[JournalEntry]) -> None:
        for entry in entries:
            for table, changes in entry.token:
                table.apply(changes)
                if not table.dirty:
                    self._mark(table)

    def _mark(self, table: Table) -> None:
        if not table.dirty:
            table.dirty = True
            self._dirty.append(table)
            self._dirty_size += table.size
            self._limit = max(self._least, _SNAPSHOT_FACTOR * self._dirty_size)

    def _after_commit(self) -> None:
        if self._journal.size > self._limit or self._journal.unsettled:
            self._checkpoints.wake()

    def _checkpoint_in_background(self) -> None:
        self.checkpoint(pause=_PAUSE)

    def _write_snapshots(self, copies: list[tuple[Table, dict[str, Encoded]]], sequence: int, pause: float) -> None:
        folders: dict[Path, None] = {}
        for table, values in copies:
            chunks = list(render(table.domain, sequence, values, pause=pause))
            make_folders(self._files, table.path.parent)
            self._files.rename(write_beside(self._files, table.path, chunks), table.path)
            table.size = sum(map(len, chunks))
            folders[table.path.parent] = None
        # Not after each file: until the journal is dropped, the old file does as well as the new one.
        for folder in folders:
            self._files.sync_folder(folder)

    def _check_process(self) -> None:
        if os.getpid() != self.pid:
            raise StorageError(f"{self.root} belongs to process {self.pid}, and a forked child cannot use it; open another root_dir there")
        if self._journal.closed:
            raise StoreClosed("the store is closed")
