"""Opening a database: the stock file, then the journal over it, and what is set aside or masked on the way."""

from __future__ import annotations

import logging
from pathlib import Path

from mooring.plugins.torbox.documents import Document
from mooring.plugins.torbox.journal_text import read_changes
from mooring.plugins.torbox.key_mask import KeyMask
from mooring.plugins.torbox.stock_file import BrokenFile, create_file, parse
from mooring.plugins.torbox.table_state import Tables
from storage import Finding
from storage.json import Files, Journal, Quarantine, Replay, replace_file

_log = logging.getLogger(__name__)


class Recovery:
    """One opening. `load` once, then read what it found."""

    def __init__(self, files: Files, path: Path, mask: KeyMask | None) -> None:
        self.findings: list[Finding] = []
        self.dirty = False
        """Whether the journal holds what the file does not."""
        self.masked = False
        """Whether something on the disk holds a key, and is to be written anew."""
        self._files = files
        self._path = path
        self._mask = mask
        self._quarantine = Quarantine(path.parent, files)

    def load(self, tables: Tables, journal: Journal) -> None:
        """Fill `tables`. Raises OSError and StorageError; damage is only reported."""
        tables.load(self._read_file() or {})
        self._replay(tables, journal)
        if self.masked:
            _log.warning("%s held the TorBox key; the places where it stood hold a placeholder now", self._path)

    def _read_file(self) -> dict[str, dict[str, Document]] | None:
        try:
            data = self._files.read(self._path)
        except FileNotFoundError:
            return None
        try:
            return parse(self._without_key(data))
        except BrokenFile as error:
            kept = self._quarantine.keep(self._path, self._without_key(data))
            self._quarantine.settle()  # or raise: what follows takes the place of the broken file
            create_file(self._files, self._path)
            self._report("quarantined", self._path, f"{error}; the cache starts empty", kept)
            return None

    def _replay(self, tables: Tables, journal: Journal) -> None:
        replay: Replay = journal.open()
        for sequence, record in replay.records:
            record = self._without_key(record)
            try:
                tables.apply(read_changes(record))
            except ValueError as error:
                self._set_aside(journal.folder, f"record {sequence}: {error}", record)
        for damage in replay.damages:
            data = self._without_key(damage.data)
            if damage.kind in ("torn", "void") or not data:
                self._report("torn" if damage.kind == "torn" else "note", damage.path, damage.reason, None)
            else:
                self._set_aside(damage.path, damage.reason, data)
        self._quarantine.settle()
        self.dirty = bool(replay.segments)

    def _set_aside(self, place: Path, reason: str, data: bytes) -> None:
        self._report("quarantined", place, reason, self._quarantine.keep(self._path.with_suffix(".record"), data))

    def _without_key(self, data: bytes) -> bytes:
        if self._mask is None:
            return data
        masked = self._mask.mask_bytes(data)
        self.masked = self.masked or masked != data
        return masked

    def _report(self, kind: str, place: Path, reason: str, kept: Path | None) -> None:
        self.findings.append(Finding(kind, self._path.stem, None, str(place), reason, None if kept is None else str(kept)))
        aside = "" if kept is None else f"; what was there is kept in {kept}"
        _log.log(logging.INFO if kind == "note" else logging.WARNING, "%s: %s%s", place, reason, aside)


_FOLDERS_OF_COPIES = ("cleared", "quarantine")


def mask_copies(folder: Path, mask: KeyMask) -> None:
    """Take the key out of the copies and quarantined files that an earlier version left beside the databases. Raises OSError."""
    files = Files()
    for path in (path for kept in _FOLDERS_OF_COPIES for path in sorted((folder / kept).glob("*")) if path.is_file()):
        data = files.read(path)
        masked = mask.mask_bytes(data)
        if masked != data:
            replace_file(files, path, [masked])
            _log.warning("%s held the TorBox key; the places where it stood hold a placeholder now", path)
