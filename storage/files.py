"""The one door to the disk, so that tests can let any single call fail, and nothing durable goes past them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_sync_data = getattr(os, "fdatasync", os.fsync)  # not every system has the cheaper call


class Files:
    """System calls by name, each either done or an OSError. Descriptors are plain integers.

    What they make is for its owner alone, since it may hold private messages. What root makes in a folder of somebody else belongs to them:
    a command that an administrator runs must not leave what the service cannot read.
    """

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def names(self, folder: Path) -> list[str]:
        """The names in the folder; none if it is not there."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - names are what the callers want
        except FileNotFoundError:
            return []

    def create(self, path: Path) -> int:
        """Opens for appending a file that must not be there yet."""
        return _made(path, os.O_EXCL | os.O_APPEND)

    def overwrite(self, path: Path) -> int:
        """Opens for writing a file that is emptied, or made, by this call."""
        return _made(path, os.O_TRUNC)

    def reopen(self, path: Path) -> int:
        """Opens for writing a file that is there, as it is."""
        return os.open(path, os.O_WRONLY)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """May write less than it was given, as the system call may."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_data(self, descriptor: int) -> None:
        """Content and length, but not times: enough to read the file again after a power loss."""
        _sync_data(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Replaces the target in one step."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        hand_over(path, path.parent)

    def remove_folder(self, path: Path) -> None:
        """Only an empty one."""
        path.rmdir()

    def sync_folder(self, path: Path) -> None:
        """Makes the folder's entries durable: what was created, renamed or removed in it."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def hand_over(made: int | Path, folder: Path) -> None:
    """Give what root has just made in the folder, as a descriptor or by its path, to the owner of the folder."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid:
            os.chown(made, owner.st_uid, owner.st_gid)


def _made(path: Path, flags: int) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
    try:
        hand_over(descriptor, path.parent)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_all(files: Files, descriptor: int, data: bytes) -> None:
    """Goes on after short writes."""
    written = files.write(descriptor, data)
    while written < len(data):
        written += files.write(descriptor, memoryview(data)[written:])


def make_folders(files: Files, folder: Path) -> None:
    """Creates what is missing of the path, durably, so that a synced file in it cannot lose its folder."""
    if folder.is_dir():
        return
    make_folders(files, folder.parent)
    with suppress(FileExistsError):
        files.make_folder(folder)
    try:
        files.sync_folder(folder.parent)
    except OSError:
        with suppress(OSError):
            files.remove_folder(folder)  # or the next call would find it, and take it for durable
        raise


def write_beside(files: Files, path: Path, chunks: Iterable[bytes]) -> Path:
    """Writes and syncs `<path>.tmp`, and returns its name; nothing is replaced yet. Removes it again if that fails."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = files.overwrite(temporary)
    try:
        try:
            for chunk in chunks:
                write_all(files, descriptor, chunk)
            files.sync(descriptor)
        finally:
            files.close(descriptor)
    except OSError:
        with suppress(OSError):  # a full disk needs the space
            files.unlink(temporary)
        raise
    return temporary


def replace_file(files: Files, path: Path, chunks: Iterable[bytes]) -> None:
    """After this the file holds the chunks, come what may; before it ends, the file is the old one or the new one, whole."""
    make_folders(files, path.parent)
    files.rename(write_beside(files, path, chunks), path)
    files.sync_folder(path.parent)
