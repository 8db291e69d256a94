"""What an operator has to know of a channel: commits that the server lost, and what was found broken in it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence

from storage.database_interface import Finding
from storage.redis.domain import SharedDomain
from storage.redis.history import Position, Seen

_log = logging.getLogger(__name__)

_TELL_SECONDS = 3600.0
"""How long it is told that something was lost, which nothing can bring back."""

_MENDED = {
    "record": "its record could not be read ({0}), and was made anew from the stream",
    "record gone": "its record was gone, and was made anew from the stream",
    "record old": "its record was older than the stream (version {0}), and was made anew from it",
    "stream": "its stream was a {0}, which was removed",
    "keys": "the dict {0} had {1} keys after its last commit and has {2} now: the server evicted some, or somebody else removed them",
}


class Notices:
    """Tells the log, the reports of all engine objects of the channel, and whoever asks for the newest."""

    def __init__(self, where: bytes, domains: Callable[[], Collection[tuple[bytes, SharedDomain]]]) -> None:
        self.lost_commits = 0
        """How many acknowledged commits the server has lost, as far as that is known here."""
        self._where = f"Redis key {where.decode(errors='backslashreplace')}"
        self._domains = domains
        self._newest = ""
        self._until = 0.0

    @property
    def newest(self) -> str | None:
        """What was lost lately."""
        return self._newest if time.monotonic() < self._until else None

    def lost(self, known: Position, now: Position, gone: Sequence[Seen]) -> None:
        """The server has another history than the one that was seen here. `gone` are the commits that are known to be lost."""
        count = max(len(gone), known.version - now.version)
        self.lost_commits += count
        reason = (
            f"the server went from version {known.version} to {now.version} of another history: {count or 'some'} acknowledged commits of this "
            "channel are lost, as after the promotion of a replica that had not got them; what is there now was loaded anew"
        )
        self._tell("lost", reason, b"")
        for seen in gone:
            self._tell("lost", f"lost: {seen}", b"")
        self._remember(reason)

    def mended(self, found: Sequence[Sequence[str]]) -> None:
        """Something of the channel was broken in the server, and was mended by this process or another one."""
        for kind, *details in found:
            reason = _MENDED.get(kind, kind).format(*details)
            name = details[0].encode() if kind == "keys" and details else b""
            self._tell("lost" if kind == "keys" else "mended", reason, name)
            if kind == "keys":
                self._remember(reason)

    def _remember(self, reason: str) -> None:
        self._newest, self._until = f"{self._where}: {reason}", time.monotonic() + _TELL_SECONDS

    def _tell(self, kind: str, reason: str, name: bytes) -> None:
        """`name` is the dict that it is about; empty for the whole channel."""
        _log.error("%s: %s", self._where, reason)
        for domain_name, domain in self._domains():
            if not name or name == domain_name:
                domain.tell(Finding(kind, domain.name, None, self._where, reason) if name else Finding(kind, "", None, self._where, reason))
