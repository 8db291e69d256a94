"""A disk that may fail at any call, tear writes, stop the machine, and lose what was not synced when the power goes."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storage.files import Files
from tests.simulation.loop import Killed

_OWNER = ".owner"


class _Inode:
    """What may be on the disk of one file: the content at its last sync, or as any write after that left it."""

    def __init__(self, content: bytes = b"") -> None:
        self.versions = [content]
        self.is_doubtful = False
        """A sync failed: the system takes for clean what it could not write, so that later syncs say nothing about it."""

    def synced(self) -> None:
        if not self.is_doubtful:
            del self.versions[:-1]


class _Folder:
    """Which names are on the disk for certain, and what was done to them since."""

    def __init__(self) -> None:
        self.names: dict[str, _Inode | None] = {}
        self.pending: list[tuple[str, _Inode | bool | None]] = []
        """False takes the name away; None is a folder."""


class Disk:
    """The disk of one machine. Each life of the service has a folder of its own, made of what the life before left."""

    def __init__(self, base: Path, seed: random.Random) -> None:
        self._base = base
        self._seed = seed
        self._lives = 0
        self.root = self._next()
        self.fault_rate = 0.0
        self.kill_rate = 0.0
        self.faults = 0
        self.kill: Callable[[], None] = lambda: None
        """Called when the machine stops in the middle of a call."""
        self._folders: dict[Path, _Folder] = {}
        self._open: dict[int, tuple[Path, _Inode]] = {}
        self._inodes: dict[Path, _Inode] = {}

    def files(self) -> SimulatedFiles:
        """The door to it for the process that runs now."""
        return SimulatedFiles(self, self._seed)

    def stop(self, *, power_loss: bool) -> None:
        """End the life in hand: what only the system's memory had may be gone."""
        for descriptor in list(self._open):
            os.close(descriptor)
        self._open.clear()
        before, self.root = self.root, self._next()
        if power_loss:
            self._build(before)
        else:
            shutil.rmtree(self.root)
            shutil.copytree(before, self.root, ignore=shutil.ignore_patterns(_OWNER))
        shutil.rmtree(before)
        self._folders.clear()
        self._inodes.clear()
        self._note_what_is_there(self.root)

    # -- what SimulatedFiles tells ---------------------------------------------------------------------------------------

    def opened(self, descriptor: int, path: Path, *, is_new: bool) -> None:
        if is_new:
            inode = self._inodes[path] = _Inode()
            self._folder(path.parent).pending.append((path.name, inode))
        self._open[descriptor] = (path, self._inodes.setdefault(path, _Inode()))

    def closed(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)

    def changed(self, descriptor: int) -> None:
        path, inode = self._open[descriptor]
        inode.versions.append(path.read_bytes())

    def synced(self, descriptor: int, *, failed: bool = False) -> None:
        inode = self._open[descriptor][1]
        inode.is_doubtful |= failed
        inode.synced()

    def renamed(self, source: Path, target: Path) -> None:
        inode = self._inodes[target] = self._inodes.pop(source)
        self._folder(source.parent).pending += [(source.name, False), (target.name, inode)]

    def removed(self, path: Path) -> None:
        self._inodes.pop(path, None)
        self._folder(path.parent).pending.append((path.name, False))

    def made(self, path: Path) -> None:
        self._folders[path] = _Folder()
        self._folder(path.parent).pending.append((path.name, None))

    def folder_synced(self, path: Path) -> None:
        folder = self._folder(path)
        _apply(folder, len(folder.pending))

    # --------------------------------------------------------------------------------------------------------------------

    def _next(self) -> Path:
        self._lives += 1
        root = self._base / f"life-{self._lives}"
        root.mkdir(parents=True)
        return root

    def _folder(self, path: Path) -> _Folder:
        return self._folders.setdefault(path, _Folder())

    def _note_what_is_there(self, root: Path) -> None:
        for path in root.rglob("*"):
            inode = None
            if path.is_file():
                inode = self._inodes[path] = _Inode(path.read_bytes())
            self._folder(path.parent).names[path.name] = inode

    def _build(self, before: Path) -> None:
        for place, folder in sorted(self._folders.items()):
            if not place.is_relative_to(before):
                continue
            _apply(folder, self._seed.randint(0, len(folder.pending)))
            copy = self.root / place.relative_to(before)
            if not copy.is_dir():
                continue  # the folder itself did not reach the disk, and so nobody finds what is in it
            for name, inode in sorted(folder.names.items()):
                if inode is None:
                    (copy / name).mkdir()
                else:
                    (copy / name).write_bytes(self._content(inode))

    def _content(self, inode: _Inode) -> bytes:
        """What a file holds when the power is back: some version since its last sync, perhaps torn, perhaps with a hole at its end."""
        place = self._seed.randrange(len(inode.versions))
        content = inode.versions[place]
        if place + 1 == len(inode.versions):
            return content
        more = inode.versions[place + 1]
        if not more.startswith(content):
            return self._seed.choice((content, more))
        torn = more[: self._seed.randint(len(content), len(more))]
        if self._seed.random() < 0.2:
            return content + bytes(len(torn) - len(content))  # the length was written, and the data was not
        return torn


def _apply(folder: _Folder, count: int) -> None:
    for name, inode in folder.pending[:count]:
        if inode is False:
            folder.names.pop(name, None)
        else:
            folder.names[name] = inode if isinstance(inode, _Inode) else None
    del folder.pending[:count]


class SimulatedFiles(Files):
    """What one process does to the disk. After its end nothing happens any more."""

    def __init__(self, disk: Disk, seed: random.Random) -> None:
        self._disk = disk
        self._seed = seed
        self.is_dead = False

    def read(self, path: Path) -> bytes:
        self._may_fail("read")
        return super().read(path)

    def names(self, folder: Path) -> list[str]:
        self._may_fail("names")
        return super().names(folder)

    def create(self, path: Path) -> int:
        self._may_fail("create")
        descriptor = super().create(path)
        self._disk.opened(descriptor, path, is_new=True)
        self._may_die()
        return descriptor

    def overwrite(self, path: Path) -> int:
        self._may_fail("overwrite")
        is_new = not path.exists()
        descriptor = super().overwrite(path)
        self._disk.opened(descriptor, path, is_new=is_new)
        if not is_new:
            self._disk.changed(descriptor)
        return descriptor

    def reopen(self, path: Path) -> int:
        self._may_fail("reopen")
        descriptor = super().reopen(path)
        self._disk.opened(descriptor, path, is_new=False)
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._may_die()
        if self._fails():
            super().write(descriptor, data[: self._seed.randint(0, len(data))])
            self._disk.changed(descriptor)
            self._may_die()
            raise _error(self._seed, "write")
        length = self._seed.randint(1, len(data)) if data and self._seed.random() < 0.02 else len(data)
        written = super().write(descriptor, data[:length])
        self._disk.changed(descriptor)
        self._may_die()
        return written

    def sync(self, descriptor: int) -> None:
        self._sync(descriptor)

    def sync_data(self, descriptor: int) -> None:
        self._sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._may_fail("truncate")
        super().truncate(descriptor, size)
        self._disk.changed(descriptor)
        self._may_die()

    def close(self, descriptor: int) -> None:
        if not self.is_dead:
            self._disk.closed(descriptor)
            super().close(descriptor)
            if self._fails():
                raise _error(self._seed, "close")

    def rename(self, source: Path, target: Path) -> None:
        self._may_fail("rename")
        super().rename(source, target)
        self._disk.renamed(source, target)
        self._may_die()

    def unlink(self, path: Path) -> None:
        self._may_fail("unlink")
        super().unlink(path)
        self._disk.removed(path)
        self._may_die()

    def make_folder(self, path: Path) -> None:
        self._may_fail("make_folder")
        super().make_folder(path)
        self._disk.made(path)

    def remove_folder(self, path: Path) -> None:
        self._may_fail("remove_folder")
        super().remove_folder(path)
        self._disk.removed(path)

    def sync_folder(self, path: Path) -> None:
        self._may_fail("sync_folder")
        self._disk.folder_synced(path)
        self._may_die()

    def _sync(self, descriptor: int) -> None:
        self._may_die()
        if self._fails():
            self._disk.synced(descriptor, failed=True)
            raise _error(self._seed, "sync")
        self._disk.synced(descriptor)
        self._may_die()

    def _may_fail(self, operation: str) -> None:
        self._may_die()
        if self._fails():
            raise _error(self._seed, operation)

    def _fails(self) -> bool:
        if self._disk.fault_rate and self._seed.random() < self._disk.fault_rate:
            self._disk.faults += 1
            return True
        return False

    def _may_die(self) -> None:
        if not self.is_dead and self._disk.kill_rate and self._seed.random() < self._disk.kill_rate:
            self._disk.kill()
        if self.is_dead:
            raise Killed


def _error(seed: random.Random, operation: str) -> Any:
    number = seed.choice((errno.EIO, errno.ENOSPC))
    return OSError(number, f"{os.strerror(number)} (the simulated disk, at {operation})")
