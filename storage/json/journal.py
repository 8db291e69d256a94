"""An append-only log of commits in numbered segments: the one durable write of the project.

    journal = Journal(folder, on_commit=apply)
    replay = journal.open()             # every commit that is there, and what was damaged
    journal.commit(JournalEntry(b'"changes":[...]}'))
    with journal.lock:
        last = journal.rotate()         # what is committed now is in segments up to this one ...
        state = copy_of_the_state()
    save_somewhere_else(state)
    journal.drop(last)                  # ... which are not needed once the state is safe elsewhere

Commits that wait at the same time are written together and share one sync of the disk. What a failed write left behind can
never come back: it is cut off, or else the segment is given up, and the next segment says how far the ones before it count.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from storage.errors import StorageError
from storage.files import Files, make_folders, write_all
from storage.json.entry import ClosedError, JournalEntry
from storage.json.lines import frame
from storage.json.replay import Replay, header_payload, read_segments, segment_name
from storage.json.retained import RetainedSegments
from storage.locking import PatientLock

_log = logging.getLogger(__name__)


class Journal:
    """Thread-safe. `on_commit` gets the entries in the order of the log, under `lock`, and must not raise."""

    def __init__(
        self,
        folder: Path,
        *,
        on_commit: Callable[[list[JournalEntry]], None],
        files: Files | None = None,
        retained: RetainedSegments | None = None,
    ) -> None:
        """`retained` keeps what `drop` and `remove` would remove."""
        self.folder = folder
        self.lock = PatientLock()
        self.sequence = 0
        """Number of the last commit. It may be raised, never lowered, under the lock."""
        self.size = 0
        """Bytes in the segments since the last `rotate`."""
        self.unsettled = False
        """A segment had to be given up: what was not synced in it is in memory only, until the next checkpoint."""
        self._files = Files() if files is None else files
        self._retained = retained
        self._write = self._files.write
        self._on_commit = on_commit
        self._pending: deque[JournalEntry] = deque()
        self._segments: list[tuple[int, Path]] = []
        self._number = 0
        self._descriptor: int | None = None
        self._offset = 0
        self._synced = True
        self._unvoided = False
        self._logged = 0
        self.closed = False

    def open(self) -> Replay:
        """Reads what is there. Nothing is written until the first commit, which goes to a new segment."""
        replay = read_segments(self._files, self.folder)
        self._segments = list(replay.segments)
        # A renamed segment has two numbers, and neither is free.
        self._number = max((max(number, int(path.stem)) for number, path in self._segments), default=0)
        self.sequence = self._logged = replay.sequence
        if self._retained is not None:  # whose numbers go on where those of segments end that are gone from here
            number, sequence = self._retained.newest()
            self._number = max(self._number, number)
            self.sequence = self._logged = max(self.sequence, sequence)
        self.size = replay.size
        return replay

    def commit(self, entry: JournalEntry) -> None:
        """Returns when the entry is in the log and applied, and on the disk if it asks for that; CommitFailed means nothing is."""
        self._pending.append(entry)
        if self.lock.locked():  # written out instead of `ready`: every single write comes this way
            self._look(entry)
        with self.lock.lock:
            if not entry.done:
                self._commit_pending()
        entry.result()

    def commit_all(self, entries: list[JournalEntry]) -> None:
        """The same for many, in order. Does not raise: each entry has its `cause`."""
        self._pending.extend(entries)
        with self.lock.ready():
            self._commit_pending()

    def rotate(self) -> int:
        """Starts a new segment; call it under `lock`. Returns the number of the last segment before it."""
        last = self._number
        if self._descriptor is not None:
            self._settle()
            self._leave_segment()
        self._start_segment()
        self.size = 0
        return last

    def drop(self, last: int) -> None:
        """Removes the segments up to this number, oldest first, so that what a crash leaves is always the newest part.

        Raises OSError, if one cannot be retained for instance; it and those after it are still there then.
        """
        for number, path in sorted(segment for segment in self._segments if segment[0] <= last):
            with suppress(FileNotFoundError):
                if self._retained is not None:
                    self._retained.keep(number, path)
                self._files.unlink(path)
            self._segments.remove((number, path))
        if self._segments or self.folder.is_dir():
            self._files.sync_folder(self.folder)

    def remove(self) -> None:
        """Closes, and removes all segments and the folder: for a state that is safe elsewhere."""
        self.close()
        self.drop(self._number)
        if self.folder.is_dir():
            with suppress(OSError):  # foreign files in it: they stay, and so does the folder
                self._files.remove_folder(self.folder)
                self._files.sync_folder(self.folder.parent)

    def close(self) -> None:
        """Later commits fail with StoreClosed. The segments stay."""
        with self.lock.ready():
            self.closed = True
            if self._unvoided:
                self._void()
            if self._descriptor is not None:
                self._settle()
                self._leave_segment()

    def abandon(self) -> None:
        """Lets go of the descriptor and nothing else: for a forked child, which must not touch the parent's log."""
        self.closed = True
        if self._descriptor is not None:
            self._leave_segment()

    def _look(self, entry: JournalEntry) -> None:
        try:
            self.lock.look()
        except StorageError:
            self._pending.remove(entry)  # who holds the lock was interrupted, or is in another process; so it is still there
            raise

    def _commit_pending(self) -> None:
        pending = self._pending
        entries = [pending.popleft()] if len(pending) == 1 else [pending.popleft() for _ in range(len(pending))]
        entries = [entry for entry in entries if entry.after is None or not _is_orphan(entry)]
        if not entries:
            return
        try:
            self._append(entries)
        except OSError as error:
            self._fail(entries, error)
            return
        except BaseException as error:
            self._fail(entries, error)
            raise
        try:
            self._on_commit(entries)
        except BaseException:
            # It does not raise by itself, so this is an interrupt. The log has the commits; memory must have them, too.
            self._on_commit(entries)
            raise
        finally:
            for entry in entries:
                entry.done = True
                entry.after = None  # or each would keep all before it in memory

    def _fail(self, entries: list[JournalEntry], error: BaseException) -> None:
        for entry in entries:
            entry.cause = error
            entry.done = True

    def _append(self, entries: list[JournalEntry]) -> None:
        if self.closed:
            raise ClosedError
        if self._descriptor is None:
            self._start_segment()
        descriptor = self._descriptor
        assert descriptor is not None
        sequence = self.sequence
        lines = []
        sync = False
        for entry in entries:
            sequence += 1
            payload = b'{"seq":%d,%b' % (sequence, entry.text)
            lines.append(b"%08x %b\n" % (crc32(payload), payload))
            sync = sync or entry.sync
        data = b"".join(lines)
        size = len(data)
        written = -1
        try:
            written = self._write(descriptor, data)
            if written != size:
                write_all(self._files, descriptor, data[written:])
            written = size
            if sync:
                self._files.sync_data(descriptor)
        except BaseException:
            # After a failed sync nobody knows what of this file will reach the disk, whatever later syncs say.
            self._take_back(give_up=written == size)
            raise
        # Nothing from here on can be interrupted: the log and the counters agree.
        self._synced = sync
        self.sequence = self._logged = sequence
        self._offset += size
        self.size += size

    def _take_back(self, *, give_up: bool) -> None:
        descriptor = self._descriptor
        assert descriptor is not None
        try:
            self._files.truncate(descriptor, self._offset)
            self._files.sync_data(descriptor)
        except OSError as error:
            _log.warning("could not cut off a failed write in %s (%s)", self.folder, error)
            give_up = True
        if give_up:
            self._leave_segment()
            self.unsettled = True
            self._void()

    def _void(self) -> None:
        """The first line of a new segment voids what the segment before it may hold of a failed commit."""
        self._unvoided = True
        try:
            self._start_segment()
        except OSError as error:
            _log.warning("could not start a new segment in %s (%s); the next commit tries again", self.folder, error)

    def _settle(self) -> None:
        """Before later commits go elsewhere: what is on the disk must have no gaps."""
        if self._synced or self._descriptor is None:
            return
        try:
            self._files.sync_data(self._descriptor)
        except OSError as error:
            _log.warning("could not sync a segment of %s (%s); the checkpoint that follows makes up for it", self.folder, error)
            self.unsettled = True
        self._synced = True

    def _leave_segment(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                self._files.close(descriptor)

    def _start_segment(self) -> None:
        """Numbers are never used twice: a half-made segment that cannot be removed must not void what follows."""
        make_folders(self._files, self.folder)
        self._number += 1
        path = self.folder / segment_name(self._number)
        descriptor = self._files.create(path)
        try:
            header = frame(header_payload(self._number, self._logged))
            write_all(self._files, descriptor, header)
            self._files.sync(descriptor)
            self._files.sync_folder(self.folder)
        except BaseException:
            with suppress(OSError):
                self._files.close(descriptor)
            with suppress(OSError):
                self._files.unlink(path)
            raise
        self._segments.append((self._number, path))
        self._descriptor = descriptor
        self._unvoided = False
        self._offset = len(header)
        self._synced = True
        self.size += len(header)


def _is_orphan(entry: JournalEntry) -> bool:
    """Fail an entry whose predecessor has failed. One that is not done yet stands before it in the same write."""
    before = entry.after
    if before is None or before.cause is None:
        return False
    entry.cause = before.cause
    entry.done = True
    return True
