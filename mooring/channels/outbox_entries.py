"""What goes into an outbox, and what memory knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mooring.rooms import Room


@dataclass(frozen=True)
class Parcel:
    """Something to be sent to rooms; `content` is what is kept of it."""

    rooms: Sequence[Room]
    content: dict[str, Any]
    key: str
    message_id: str = ""
    """Of which message it is, so that an edit can be passed over for a newer one."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What memory knows of an entry of an outbox; what is to be sent is in the dict."""

    key: str
    at: float
    """When it was committed, in seconds since 1970."""
    size: int
    """In bytes, as it is kept."""
    message_id: str
    numbers: Mapping[Room, int]
    """Its number in each of its rooms."""


@dataclass(frozen=True, eq=False)
class Queued:
    """What one event did to the outbox; true once its commit succeeded."""

    added: Sequence[Entry] = ()
    given_up: Sequence[tuple[Room, Entry]] = ()
    """What had to give way in a room."""
    removed: Sequence[str] = ()
    """Entries that are kept no more."""
    numbers: Mapping[str, Any] | None = None
    """The newest number of each room."""

    @property
    def rooms(self) -> frozenset[Room]:
        """Where there is something new to send."""
        return frozenset(room for entry in self.added for room in entry.numbers)


NOTHING = Queued()
