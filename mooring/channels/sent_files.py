"""Files that handlers send: where they lie, under addresses that nobody guesses."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import quote

from storage import CachedDict

LONGEST = 500
"""Files of a channel that can be fetched at once, as many as there are messages to name them; the oldest give way."""


def is_address(path: str) -> bool:
    """Whether this is where something can be fetched, on the net or from a service, and no file of a machine."""
    return "://" in path or path.startswith("/files/")


class LocalFile(str):
    """The path of a file of ours, as a plugin gave it.

    A type of its own, because what somebody else has put into a message's `path` must never be taken for one.
    """

    __slots__ = ()


class SentFiles:
    """The files of one channel. Nothing is copied: a file that is gone can no longer be fetched.

    The address is the permission, as private messages name files, too: it holds 128 random bits, and is written in the commit of
    the message that names it.
    """

    def __init__(self, channel_id: str, kept: CachedDict) -> None:
        self._channel_id = channel_id
        self._kept = kept

    def put(self, path: str, now: float) -> str:
        """The address of a file from now on; inside a transaction."""
        token = secrets.token_hex(16)
        whole = Path(path).absolute()
        while len(self._kept) >= LONGEST:
            del self._kept[min(self._kept, key=lambda old: float(self._kept[old]["at"]))]
        self._kept[token] = {"path": str(whole), "at": now}
        return f"/files/{quote(self._channel_id, safe='')}/{token}/{quote(whole.name, safe='')}"

    def find(self, token: str) -> Path | None:
        """The file of an address, if it is still on the shelf."""
        entry = self._kept.get(token)
        return None if entry is None else Path(entry["path"])
