"""What a process has seen of a channel's commits, by which it notices that the server has lost some of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgpack

from storage.database_interface import Origin

_REMEMBERED = 1000
"""Commits. What is lost is named as far as it is among these."""


class Position(NamedTuple):
    """How far a channel has come."""

    epoch: int
    version: int
    newest: bytes
    """The name of the last commit; empty before the first."""

    @property
    def stream_id(self) -> bytes:
        return b"%d-%d" % (self.epoch, self.version)


EMPTY = Position(0, 0, b"")
"""A channel without commits."""


class Entry(NamedTuple):
    """One commit as the stream has it."""

    position: Position
    """Where it has brought the channel."""
    before: bytes
    """The commit that it was built on."""
    origin: Origin
    changes: bytes | None
    """As `wire` packs them; None if they are too large for the stream."""
    mended: bytes | None
    """In the place of changes: what was found broken, and mended."""


def order_of(number: bytes) -> tuple[int, int]:
    """By which the numbers of entries are compared."""
    epoch, _, version = number.partition(b"-")
    return int(epoch), int(version)


def read_entry(number: bytes, parts: Sequence[bytes]) -> Entry:
    """Raises ValueError for what we have not written."""
    fields: Mapping[bytes, bytes] = dict(zip(parts[::2], parts[1::2], strict=True))
    try:
        position = Position(*order_of(number), fields[b"i"])
        before = fields[b"b"]
    except KeyError as error:
        raise ValueError(f"it has no field {error}") from error
    origin = Origin(fields.get(b"m", b"").decode(errors="replace"), fields.get(b"o", b"").decode(errors="replace"))
    return Entry(position, before, origin, fields.get(b"c"), fields.get(b"r"))


class Seen(NamedTuple):
    """A commit that was acknowledged, here or to another process."""

    version: int
    name: bytes
    origin: Origin
    at: float
    """When that became known here, in seconds since 1970."""

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        who = f" of {self.origin.member}" if self.origin.member else ""
        what = f"event {self.origin.event}{who}" if self.origin.event else f"a commit{who}"
        return f"{what}, version {self.version}, acknowledged at {moment}"


class History:
    """The latest commits that became known here."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=_REMEMBERED)

    def add(self, position: Position, origin: Origin) -> None:
        self._seen.append(Seen(position.version, position.newest, origin, time.time()))

    def has(self, version: int, name: bytes) -> bool:
        """Whether this commit is known."""
        for seen in reversed(self._seen):
            if seen.name == name:
                return True
            if seen.version < version:
                break
        return False

    def lost(self, version: int, kept: Iterable[Entry], own: bytes, own_number: int | None) -> list[Seen]:
        """What the server does not have any more, which is at this version now; forgets all the rest as well.

        `kept` is what its stream has. The stream does not reach back for ever: of commits before its first entry only our own are
        known to be gone, if the server says that it knows less than `own_number` of those of process `own`.
        """
        names = {entry.position.version: entry.position.newest for entry in kept}
        first = min(names, default=version + 1)
        lost = []
        for seen in self._seen:
            process, _, number = seen.name.rpartition(b":")
            is_unknown_own = process == own and own_number is not None and int(number) > own_number
            if seen.version > version or is_unknown_own or (seen.version >= first and names.get(seen.version) != seen.name):
                lost.append(seen)
        self._seen.clear()
        return lost


def read_mending(packed: bytes) -> list[tuple[str, ...]]:
    """What a mending found: `(kind, detail, ...)` each. Raises ValueError."""
    found: Any = msgpack.unpackb(packed, raw=True)
    return [tuple(part.decode("utf-8", "replace") for part in each) for each in found]
