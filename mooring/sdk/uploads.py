"""Files that bots hand over: copied into a folder of the service, and served under addresses that nobody guesses.

The address is made from the content and a key of the folder, so that the same file has the same address for ever, in every process that
uses the folder, and is kept once. The permission is the address, as with files that plugins send.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import shutil
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

log = logging.getLogger(__name__)

PLACE = "uploads"
"""What stands in addresses where a channel stands in those of files that its plugins send."""

_ADDRESS = re.compile(rf"/files/{PLACE}/([0-9a-f]{{32}})/[^/]+")
_LONGEST_NAME = 100
_CHUNK = 1 << 20


class Uploads:
    """The folder. Everything here blocks, and may be called from any thread. Beyond `most` bytes the files that were handed over longest ago go."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most

    def put(self, path: str | os.PathLike[str]) -> str:
        """Keep a copy of a file and return its address. Raises FileNotFoundError, ValueError for one that is too large, and OSError."""
        source = Path(path)
        if not source.is_file():
            raise FileNotFoundError(f"there is no file {source.absolute()} that could be uploaded")
        if source.stat().st_size > self._most:
            raise ValueError(f"{source} has {source.stat().st_size} bytes, and uploads may take {self._most} (upload_bytes) together")
        name = _file_name(source.name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self._folder / ".lock"):  # several processes may share the folder
            token = self._token(source, name)
            kept = self._folder / token
            if kept.is_dir():
                os.utime(kept)
            else:
                self._copy(source, kept, name)
                self._make_room(kept)
        return f"/files/{PLACE}/{token}/{quote(name, safe='')}"

    def find(self, token: str) -> Path | None:
        """The file of a token, if it is still there."""
        if not re.fullmatch("[0-9a-f]{32}", token):
            return None
        try:
            return next((self._folder / token).iterdir(), None)
        except OSError:
            return None

    def at(self, address: str) -> Path | None:
        """The file of an address, None if it is none of ours or is gone."""
        match = _ADDRESS.fullmatch(address)
        return None if match is None else self.find(match[1])

    def _token(self, source: Path, name: str) -> str:
        digest = hashlib.blake2b(name.encode() + b"\0", key=self._read_key(), digest_size=16)
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def _read_key(self) -> bytes:
        place = self._folder / ".key"
        if not place.exists():
            draft = self._folder / ".key-draft"
            draft.touch(mode=0o600)
            draft.write_bytes(secrets.token_bytes(32))
            draft.replace(place)
        return place.read_bytes()

    def _copy(self, source: Path, kept: Path, name: str) -> None:
        draft = self._folder / ".draft"
        shutil.rmtree(draft, ignore_errors=True)  # what a crash may have left
        draft.mkdir(mode=0o700)
        with source.open("rb") as file, (draft / name).open("wb") as copy:
            shutil.copyfileobj(file, copy, _CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
        draft.rename(kept)

    def _make_room(self, newest: Path) -> None:
        sizes = {each: sum(file.stat().st_size for file in each.iterdir()) for each in self._folder.iterdir() if len(each.name) == 32}
        surplus = sum(sizes.values()) - self._most
        for each in sorted(sizes, key=lambda each: each.stat().st_mtime):
            if surplus <= 0:
                return
            if each != newest:
                log.info("the uploaded file %s makes room for newer ones (upload_bytes)", next(each.iterdir(), each).name)
                shutil.rmtree(each)
                surplus -= sizes[each]


def _file_name(name: str) -> str:
    """A name for the copy: what the file is called, shortened if need be, with its suffix."""
    name = name.encode("utf-8", "replace").decode("utf-8")
    suffix = Path(name).suffix[:16]
    while len(name.encode()) > _LONGEST_NAME:
        name = name[: -len(suffix) - 1] + suffix if len(name) > len(suffix) + 1 else name[1:]
    return name
