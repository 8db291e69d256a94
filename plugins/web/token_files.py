"""The signing key and the list of given tokens in files, as a service keeps them that is the only process of its channels."""

from __future__ import annotations

import base64
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from mooring import Role

log = logging.getLogger(__name__)
T = TypeVar("T")

KEY_BYTES = 32


class IssuedToken(Struct):
    """A line in the list of tokens that were given out."""

    member_id: str
    name: str
    roles: dict[str, Role]
    made: int
    revoked: int | None = None


class TokenFiles:
    """Key and list in a folder, which is made, in files that only their owner can read."""

    def __init__(self, folder: Path) -> None:
        self._key_file = folder / "signing.key"
        self._list_file = folder / "tokens.json"
        self._seen: tuple[int, int] | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def __str__(self) -> str:
        return str(self._list_file.parent)

    def key(self) -> bytes:
        """The key. Raises ValueError if the file holds none."""
        return _load_or_make_key(self._key_file)

    def news(self) -> dict[str, IssuedToken] | None:
        """The list if another process wrote it. Reads the disk."""
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
        """Write the list anew."""
        given = self._read() if self._list_file.exists() else {}
        result = work(given)
        _write_private(self._list_file, msgspec.json.format(msgspec.json.encode(given), indent=1))
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

    def _read(self) -> dict[str, IssuedToken]:
        return msgspec.json.decode(self._list_file.read_bytes(), type=dict[str, IssuedToken])


def key_text(key: bytes) -> str:
    """The key as it is kept in a dict."""
    return base64.b64encode(key).decode()


def checked_key(key: bytes, place: str) -> bytes:
    """The key. Raises ValueError, which names the place, if it is too short to be one."""
    if len(key) < KEY_BYTES:
        raise ValueError(f"{place} is too short for a signing key; restore it, or delete it and all tokens become void")
    return key


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _load_or_make_key(path: Path) -> bytes:
    if not path.exists():
        # Linked, not renamed: of two processes that start at once, one key wins, and both use it.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        _write_private(draft, secrets.token_bytes(KEY_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            log.debug("another process made %s first", path)
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        log.warning("%s could be read by others; its mode is 0600 now. If somebody may have read it, delete it: all tokens become void.", path)
        path.chmod(0o600)
    return checked_key(path.read_bytes(), str(path))
