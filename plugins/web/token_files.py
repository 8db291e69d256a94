"""The signing key and the list of given tokens in files, as a service keeps them that is the only process of its channels."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from mooring import Role
from storage import StorageError, StoreLocked
from storage.json import Files, FolderLock, replace_file

log = logging.getLogger(__name__)
T = TypeVar("T")

KEY_BYTES = 32
_PATIENCE_SECONDS = 10


class IssuedToken(Struct):
    """A line in the list of tokens that were given out."""

    member_id: str
    name: str
    roles: dict[str, Role]
    made: int
    revoked: int | None = None
    until: int | None = None


class TokenFiles:
    """Key and list in a folder, which is made, in files that only their owner can read.

    Several processes may use them at the same time, as the service and `mooring token` do: who writes has the folder's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._key_file = folder / "signing.key"
        self._list_file = folder / "tokens.json"
        self._lock_file = folder / ".lock"
        self._files = Files()
        self._seen: tuple[int, int] | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def __str__(self) -> str:
        return str(self._list_file.parent)

    def key(self) -> bytes:
        """The key, which is made if there is none. Raises StorageError if the file holds something else, and StoreLocked."""
        path = self._key_file
        if not path.exists():
            with self._locked():
                if not path.exists():  # perhaps another process was quicker
                    replace_file(self._files, path, [secrets.token_bytes(KEY_BYTES)])
        if path.stat().st_mode & 0o077:
            log.warning("%s could be read by others; its mode is 0600 now. If somebody may have read it, delete it: all tokens become void.", path)
            path.chmod(0o600)
        return checked_key(path.read_bytes(), str(path))

    def news(self) -> dict[str, IssuedToken] | None:
        """The list if another process wrote it. Reads the disk. Raises StorageError if it cannot be read now."""
        try:
            status = self._list_file.stat()
        except FileNotFoundError:
            return None
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return None
        given = self._read()
        self._seen = seen
        return given

    def change(self, work: Callable[[dict[str, IssuedToken]], T]) -> T:
        """Write the list anew. Raises StoreLocked if others write all the time, and StorageError if what is there cannot be read."""
        with self._locked():
            given = self._read() if self._list_file.exists() else {}
            result = work(given)
            replace_file(self._files, self._list_file, [msgspec.json.format(msgspec.json.encode(given), indent=1)])
        return result

    def close(self) -> None:
        """There is nothing open."""

    def export(self) -> tuple[str, dict[str, IssuedToken]] | None:
        """Key and list for another store, None if no key was ever made here. They stay, until `retire` gives them other names."""
        if not self._key_file.exists():
            return None
        return key_text(self.key()), self._read() if self._list_file.exists() else {}

    def retire(self) -> None:
        """They are kept elsewhere: from here they must not come back later with tokens that were revoked there."""
        for file in (self._key_file, self._list_file):
            with suppress(FileNotFoundError):  # another process with the same folder was quicker
                file.rename(file.with_name(f"{file.name}.moved"))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        patient = Retrying(
            retry=retry_if_exception_type(StoreLocked), stop=stop_after_delay(_PATIENCE_SECONDS), wait=wait_random(0, 0.02), reraise=True
        )
        lock = patient(FolderLock, self._lock_file)
        try:
            yield
        finally:
            lock.release()

    def _read(self) -> dict[str, IssuedToken]:
        try:
            return msgspec.json.decode(self._list_file.read_bytes(), type=dict[str, IssuedToken])
        except OSError as error:
            raise StorageError(f"{self._list_file} cannot be read: {error.strerror}; it has to belong to the user of the service") from error
        except msgspec.DecodeError as error:
            raise StorageError(f"{self._list_file} is no list of tokens: {error}; put a copy of an earlier one in its place") from error


def key_text(key: bytes) -> str:
    """The key as it is kept in a dict."""
    return base64.b64encode(key).decode()


def checked_key(key: bytes, place: str) -> bytes:
    """The key. Raises StorageError, which names the place, if it is too short to be one."""
    if len(key) < KEY_BYTES:
        raise StorageError(f"{place} is too short for a signing key; restore it, or delete it and all tokens become void")
    return key
