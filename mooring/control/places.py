"""Where the socket of a running service is: in its data folder, under a name that tells the service and the process."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_FOLDER = "control"
_SOCKET, _POINTER, _UNPUBLISHED = ".sock", ".path", ".new"
_PRIVATE = "mooring-"

_LONGEST = 100
"""Bytes of a socket's path. Linux takes 107, macOS 103."""


class SocketPlace:
    """The place of one process's socket. Where the path would be too long, the socket is in a private folder of its own, which a file names."""

    def __init__(self, data_dir: Path, service_id: str, pid: int) -> None:
        self.folder = data_dir / _FOLDER
        self._name = f"{_prefix(service_id)}{pid}"
        self.path = self.folder / f"{self._name}{_SOCKET}"
        self._pointer = self.folder / f"{self._name}{_POINTER}"

    def prepare(self) -> Path:
        """Make the folder, for its owner alone, and return the path at which to listen, before `publish`. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.remove()
        path = self.path.with_suffix(_UNPUBLISHED).absolute()
        if len(os.fsencode(path)) > _LONGEST:
            return Path(tempfile.mkdtemp(prefix=_PRIVATE)) / "control"  # which nobody else can enter
        path.unlink(missing_ok=True)
        return path

    def publish(self, path: Path) -> None:
        """Let others find the socket, which listens by now: who finds one that does not takes it for a dead process's, and takes it away."""
        if path.parent == self.folder.absolute():
            path.rename(self.path)
        else:
            draft = self._pointer.with_suffix(_UNPUBLISHED)
            draft.write_text(str(path), encoding="utf-8")
            draft.chmod(0o600)
            draft.rename(self._pointer)

    def remove(self) -> None:
        """Take away what `prepare` made. Raises nothing if it is not there."""
        _remove(self.path)
        _remove(self._pointer)


def sockets_of(data_dir: Path, service_id: str) -> Iterator[tuple[Path, Path]]:
    """The sockets that processes of a service have made, dead ones included, each with the file that tells of it."""
    prefix = _prefix(service_id)
    folder = data_dir / _FOLDER
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        if entry.name.startswith(prefix) and entry.suffix == _SOCKET:
            yield entry.absolute(), entry
        elif entry.name.startswith(prefix) and entry.suffix == _POINTER:
            yield Path(entry.read_text(encoding="utf-8")), entry


def forget(entry: Path) -> None:
    """Take away what a process left that is no more."""
    _remove(entry)


def _prefix(service_id: str) -> str:
    # Any string is a service's id; no two of them have the same name here.
    return f"{hashlib.sha256(service_id.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}."


def _remove(entry: Path) -> None:
    with suppress(FileNotFoundError):
        if entry.suffix == _POINTER:
            target = Path(entry.read_text(encoding="utf-8"))
            target.unlink(missing_ok=True)
            if target.parent.name.startswith(_PRIVATE):
                with suppress(OSError):
                    target.parent.rmdir()
        entry.unlink()
