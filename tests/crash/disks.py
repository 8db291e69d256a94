"""File layers for tests: disks that fail, machines that stop, and power that goes away, at a call of the test's choice."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

from storage.files import Files

OPERATIONS = (
    "read", "names", "create", "overwrite", "reopen", "write", "sync", "sync_data", "truncate", "close", "rename", "unlink",
    "make_folder", "remove_folder", "sync_folder",
)  # fmt: skip


class CountingFiles(Files):
    """Counts the calls; `fault` is asked before each one and may raise instead of it."""

    def __init__(self) -> None:
        self.calls = 0

    def fault(self, operation: str, arguments: tuple[Any, ...]) -> None:
        """Nothing happens here."""

    def done(self, operation: str, arguments: tuple[Any, ...], result: Any) -> None:
        """Nothing happens here either."""


def _hooked(operation: str) -> Any:
    # Syncs count and may fail, but nobody waits for the real disk: no test here turns that off.
    original = getattr(Files, operation) if "sync" not in operation else lambda *_: None

    def call(self: CountingFiles, *arguments: Any) -> Any:
        self.calls += 1
        self.fault(operation, arguments)
        result = original(self, *arguments)
        self.done(operation, arguments, result)
        return result

    return call


for _operation in OPERATIONS:
    setattr(CountingFiles, _operation, _hooked(_operation))


class FailingFiles(CountingFiles):
    """A disk that refuses `length` calls from the n-th on; a write that is refused may have written its first half."""

    def __init__(self, at: int, *, length: int = 1, half: bool = False) -> None:
        super().__init__()
        self.at = at
        self.length = length
        self._half = half

    def fault(self, operation: str, arguments: tuple[Any, ...]) -> None:
        if self.at <= self.calls < self.at + self.length:
            if self._half and operation == "write":
                os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            if operation == "close":
                os.close(arguments[0])  # the system closes the file even if it reports an error
            raise OSError(errno.ENOSPC, "no space left on the test's disk")


class Stop(BaseException):
    """The machine stops here: nothing may catch this and go on."""


class StoppingFiles(CountingFiles):
    """A process that is killed at the n-th call, perhaps in the middle of a write."""

    def __init__(self, at: int, *, half: bool = False) -> None:
        super().__init__()
        self.at = at
        self._half = half

    def fault(self, operation: str, arguments: tuple[Any, ...]) -> None:
        if self.calls == self.at and self._half and operation == "write":
            os.write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        if self.calls >= self.at and operation != "close":  # the system closes what a dead process had open
            raise Stop


class PowerLossFiles(StoppingFiles):
    """Knows what of the folder is on the disk for certain: synced content under synced names.

    With `eager` names reach the disk at once and only content waits for its sync, which is the other thing a disk may do.
    """

    def __init__(self, root: Path, at: int, *, eager: bool) -> None:
        super().__init__(at)
        self._root = root
        self._eager = eager
        self._content: dict[int, bytes] = {}
        self._names: dict[Path, int | None] = {}  # None is a folder
        self._held: list[int] = []  # or the number of a file that was replaced, and may still be there after the loss, would go to another

    def done(self, operation: str, arguments: tuple[Any, ...], result: Any) -> None:
        if operation in {"create", "overwrite"}:
            self._content[os.fstat(result).st_ino] = b""
            self._held.append(os.dup(result))
        elif operation in {"sync", "sync_data"}:
            self._content[os.fstat(arguments[0]).st_ino] = Path(f"/proc/self/fd/{arguments[0]}").read_bytes()
        elif operation == "sync_folder":
            self._names_reach_the_disk(arguments[0])
        if self._eager:
            for folder in {argument.parent for argument in arguments if isinstance(argument, Path)}:
                self._names_reach_the_disk(folder)

    def power_on_again(self, target: Path) -> None:
        """Builds in the target what the disk holds for certain."""
        while self._held:
            os.close(self._held.pop())
        target.mkdir()
        for path, inode in sorted(self._names.items()):
            copy = target / path.relative_to(self._root)
            if not copy.parent.is_dir():
                continue  # its folder did not reach the disk, and so nobody finds it
            if inode is None:
                copy.mkdir()
            else:
                copy.write_bytes(self._content.get(inode, b""))

    def _names_reach_the_disk(self, folder: Path) -> None:
        if not folder.is_relative_to(self._root):
            return
        for path in [path for path in self._names if path.parent == folder]:
            del self._names[path]
        if folder.is_dir():
            for path in folder.iterdir():
                if path.name != ".owner":
                    self._names[path] = None if path.is_dir() else path.stat().st_ino
