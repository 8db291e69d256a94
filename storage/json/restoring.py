"""Taking the place of many dicts of a store in one step: what shall be there is staged beside them, and one file says that it counts.

    restoring/00000001.json    a snapshot that shall take the place of another one
    restoring/ready            which file goes where: once this is there, the next opening of the store puts them there, and again if it is killed

A staged file whose `ready` was never written is waste, and the next opening removes it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from storage.encoding.codec import Encoded
from storage.errors import StorageError
from storage.files import Files, make_folders, replace_file, write_all
from storage.json.lines import CHECK_LENGTH, frame
from storage.json.paths import RESTORING, snapshot_path
from storage.json.restorings import note_restoring
from storage.json.snapshots import Body, opening

_log = logging.getLogger(__name__)
_READY = "ready"


class _Move(msgspec.Struct, array_like=True):
    name: str
    target: str
    domain: str


class _Ready(msgspec.Struct):
    sequence: int
    at: float
    moves: list[_Move]


class StagedDicts:
    """The new content of some dicts of the store in this folder, which must be open in this process until `declare_ready`.

    `sequence` is the last commit of the store: nothing up to it counts for these dicts any more.
    """

    def __init__(self, root: Path, sequence: int, files: Files | None = None) -> None:
        self._root = root
        self._sequence = sequence
        self._files = files or Files()
        self._moves: list[_Move] = []
        _remove_all(root / RESTORING, self._files)
        make_folders(self._files, root / RESTORING)

    def add(self, domain: str, keys: int, parts: Iterable[Sequence[tuple[str, Encoded]]]) -> None:
        """One dict with so many keys, part by part. Raises OSError, and StorageError if there are more or fewer."""
        name = f"{len(self._moves) + 1:08d}.json"
        self._write(self._root / RESTORING / name, domain, keys, parts)
        self._moves.append(_Move(name, snapshot_path(self._root, domain).relative_to(self._root).as_posix(), domain))

    def declare_ready(self) -> None:
        """From now on all of it counts, from the next opening of the store on. Raises OSError, and then nothing does."""
        self._files.sync_folder(self._root / RESTORING)
        replace_file(self._files, self._root / RESTORING / _READY, [frame(msgspec.json.encode(_Ready(self._sequence, time.time(), self._moves)))])

    def discard(self) -> None:
        """Remove what was staged and not declared ready. Raises OSError."""
        _remove_all(self._root / RESTORING, self._files)

    def _write(self, path: Path, domain: str, keys: int, parts: Iterable[Sequence[tuple[str, Encoded]]]) -> None:
        """The header, which has the checksum of all that follows, is written twice, so that no dict has to be in memory as a whole."""
        files, body, found = self._files, Body(), 0
        descriptor = files.overwrite(path)
        try:
            write_all(files, descriptor, opening(domain, self._sequence, keys, 0))
            for part in parts:
                found += len(part)
                write_all(files, descriptor, body.part(part))
            write_all(files, descriptor, body.closing())
        finally:
            files.close(descriptor)
        if found != keys:
            raise StorageError(f"{domain} has {found} keys and should have {keys}")
        descriptor = files.reopen(path)
        try:
            write_all(files, descriptor, opening(domain, self._sequence, keys, body.crc))
            files.sync(descriptor)
        finally:
            files.close(descriptor)


def finish_restoring(root: Path, files: Files) -> None:
    """Put what was declared ready in its place, and remove what was not. Only the owner of the store calls it, before anything is read.

    Raises OSError; the next call goes on where this one stopped. Raises StorageError for a damaged list.
    """
    folder = root / RESTORING
    names = files.names(folder)
    if _READY in names:
        ready = _read_ready(folder / _READY, files)
        note_restoring(root, ready.sequence, ready.at, [move.domain for move in ready.moves], files)
        for move in ready.moves:
            if move.name in names:
                make_folders(files, (root / move.target).parent)
                files.rename(folder / move.name, root / move.target)
        for place in dict.fromkeys((root / move.target).parent for move in ready.moves):
            files.sync_folder(place)
        _log.info("%s: %d dicts were replaced by those of a backup", root, len(ready.moves))
    _remove_all(folder, files)


def _read_ready(path: Path, files: Files) -> _Ready:
    data = files.read(path)
    payload = data[CHECK_LENGTH:].rstrip(b"\n")
    if frame(payload) != data:
        raise StorageError(f"{path} is damaged, so a restoring that was killed cannot be finished; remove it, and restore the backup again")
    return msgspec.json.decode(payload, type=_Ready)


def _remove_all(folder: Path, files: Files) -> None:
    names = files.names(folder)
    for name in sorted(names, key=lambda name: name != _READY):  # first what makes the others count
        files.unlink(folder / name)
    if names or folder.is_dir():
        files.remove_folder(folder)
        files.sync_folder(folder.parent)
