"""Segments of the journal that snapshots have made needless, kept for those who ask what happened: compressed, for some days and bytes.

They stay in `retained/`, one gzip file for each, which any tool can read: `zcat` shows the lines as they were written. The name says the
segment's number, the last commit in it, and when it was put there (seconds since 1970), so that nothing has to be read to know them.
"""

from __future__ import annotations

import gzip
import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.files import Files, make_folders, replace_file
from storage.json.lines import scan
from storage.json.paths import RETAINED
from storage.json.replay import sequence_of
from storage.json.restorings import restorings

_log = logging.getLogger(__name__)
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.log\.gz")
_DAY = 86_400.0
_LEVEL = 6
"""The best level takes three times as long for two hundredths less."""


@dataclass(frozen=True)
class Retention:
    """How long, and how much in all. None of either is nothing at all."""

    days: float = 30.0
    size: int = 1_000_000_000
    """Bytes of the compressed files."""

    @property
    def keeps(self) -> bool:
        return self.days > 0 and self.size > 0


@dataclass(frozen=True)
class RetainedSegment:
    """One file."""

    number: int
    sequence: int
    at: float
    path: Path

    def read(self, files: Files) -> bytes:
        """The lines as the journal had them. Raises OSError, and EOFError or zlib.error for a file that is damaged."""
        data = gzip.decompress(files.read(self.path))
        if not data:
            raise EOFError("it is empty")
        return data


class RetainedSegments:
    """The files of one store. Only checkpoints, of which one runs at a time, and the opening of the store use it."""

    def __init__(self, root: Path, files: Files, retention: Retention, clock: Callable[[], float] = time.time) -> None:
        self._folder = root / RETAINED
        self._files = files
        self._retention = retention
        self._clock = clock

    def newest(self) -> tuple[int, int]:
        """The largest number and the last commit, so that the journal goes on from there. Zeros if nothing is kept."""
        found = segments_in(self._folder, self._files)
        return (max(each.number for each in found), max(each.sequence for each in found)) if found else (0, 0)

    def keep(self, number: int, path: Path) -> None:
        """Keep a copy of a segment, which the caller removes. Raises OSError, FileNotFoundError if it is not there."""
        if not self._retention.keeps:
            self._prune()  # what was kept under another config
            self._forget_restorings(None)
            return
        data = self._files.read(path)
        lines = scan(data).lines
        sequence = max((found for _, payload in lines if (found := sequence_of(payload)) is not None), default=None)
        if sequence is None:
            return  # nothing was committed to it
        make_folders(self._files, self._folder)
        name = f"{number:08d}-{sequence:012d}-{int(self._clock())}.log.gz"
        replace_file(self._files, self._folder / name, [gzip.compress(data, _LEVEL, mtime=0)])
        self._prune()

    def _prune(self) -> None:
        """The oldest first. A file that cannot be removed now goes the next time."""
        found = segments_in(self._folder, self._files)
        oldest = self._clock() - self._retention.days * _DAY
        sizes = {each: each.path.stat().st_size for each in found}
        total, gone = sum(sizes.values()), 0
        for each in found:
            if each.at >= oldest and total <= self._retention.size:
                break
            gone = each.sequence
            with suppress(FileNotFoundError):
                try:
                    self._files.unlink(each.path)
                except OSError as error:
                    _log.warning("%s is older than it should be, and cannot be removed: %s", each.path, error)
                    return
            total -= sizes[each]
        self._forget_restorings(gone)

    def _forget_restorings(self, gone: int | None) -> None:
        """Those before commits of which none is kept any more, up to this number; None: all."""
        for each in restorings(self._folder.parent, self._files):
            if gone is None or each.sequence <= gone:
                with suppress(FileNotFoundError):
                    self._files.unlink(each.path)


def segments_in(folder: Path, files: Files) -> list[RetainedSegment]:
    """The files of this folder, the oldest first. What has another name is somebody else's."""
    found = [(match, folder / name) for name in files.names(folder) if (match := _NAME.fullmatch(name))]
    kept = [RetainedSegment(int(match[1]), int(match[2]), float(match[3]), path) for match, path in found]
    return sorted(kept, key=lambda each: (each.number, each.at))
