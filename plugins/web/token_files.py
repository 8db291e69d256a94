"""The signing key and the list of given tokens in files, as a service keeps them that is the only process of its channels."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from mooring.plugins.web.signing import SigningKeys, checked_keys, new_keys
from mooring.plugins.web.token_list import IssuedToken
from storage import StorageError, StoreLocked
from storage.json import Files, FolderLock, replace_file

log = logging.getLogger(__name__)
T = TypeVar("T")

_PATIENCE_SECONDS = 10


class Kept(Struct):
    """All that is kept about tokens."""

    keys: SigningKeys
    tokens: dict[str, IssuedToken]
    """By token id."""


class TokenFiles:
    """Key and list in a folder, which is made, in files that only their owner can read.

    Several processes may use them at the same time, as the service and `mooring token` do: who writes has the folder's lock.
    """

    def __init__(self, folder: Path) -> None:
        self._key_file = folder / "signing.key"
        self._list_file = folder / "tokens.json"
        self._lock_file = folder / ".lock"
        self._files = Files()
        self._seen: list[tuple[int, int] | None] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def __str__(self) -> str:
        return str(self._list_file.parent)

    def news(self) -> Kept | None:
        """Keys and list if they are not as they were when this was asked last; the first key is made. Reads the disk.

        Raises StorageError if something cannot be read now, or holds something else, and StoreLocked.
        """
        seen = [_status(self._key_file), _status(self._list_file)]
        if seen == self._seen and None not in seen[:1]:
            return None
        kept = Kept(self._keys(), self._read() if seen[1] is not None else {})
        self._seen = [_status(self._key_file), seen[1]]
        return kept

    def change_keys(self, work: Callable[[SigningKeys], SigningKeys]) -> None:
        """Write the keys anew. Raises as `change` does."""
        before = self._keys()
        with self._locked():
            self._write_keys(work(self._read_keys() if self._key_file.exists() else before))

    def _keys(self) -> SigningKeys:
        path = self._key_file
        if not path.exists():
            with self._locked():
                if not path.exists():  # perhaps another process was quicker
                    self._write_keys(new_keys())
        if path.stat().st_mode & 0o077:
            log.warning("%s could be read by others; its mode is 0600 now. If somebody may have read it, say: mooring token rotate --keep 0s", path)
            path.chmod(0o600)
        return self._read_keys()

    def _read_keys(self) -> SigningKeys:
        try:
            kept = msgspec.json.decode(self._key_file.read_bytes())
        except OSError as error:
            raise StorageError(f"{self._key_file} cannot be read: {error.strerror}; it has to belong to the user of the service") from error
        except (msgspec.DecodeError, RecursionError):
            kept = {"key": ""}
        return checked_keys(kept, str(self._key_file))

    def _write_keys(self, keys: SigningKeys) -> None:
        replace_file(self._files, self._key_file, [msgspec.json.encode(keys)])

    def change(self, work: Callable[[dict[str, IssuedToken]], T]) -> T:
        """Write the list anew. Raises StoreLocked if others write all the time, and StorageError if what is there cannot be read."""
        with self._locked():
            given = self._read() if self._list_file.exists() else {}
            result = work(given)
            replace_file(self._files, self._list_file, [msgspec.json.format(msgspec.json.encode(given), indent=1)])
        return result

    def refresh(self) -> None:
        """Nothing is kept in memory that `news` would not compare with the files."""

    def close(self) -> None:
        """There is nothing open."""

    def export(self) -> Kept | None:
        """Keys and list for another store, None if no key was ever made here. They stay, until `retire` gives them other names."""
        if not self._key_file.exists():
            return None
        return Kept(self._keys(), self._read() if self._list_file.exists() else {})

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
        except (msgspec.DecodeError, RecursionError) as error:
            raise StorageError(f"{self._list_file} is no list of tokens: {error}; put a copy of an earlier one in its place") from error


def _status(file: Path) -> tuple[int, int] | None:
    """Another one whenever the file was written; None if there is none."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_ino
