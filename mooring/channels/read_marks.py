"""Up to where the rooms of a channel were read, so that a gateway that was away goes on from there."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from mooring.events import UpEvent
from mooring.rooms import Room


class ReadMarks:
    """One mark a room, in a dict of the channel's storage, so that it commits with what the event changes: no crash comes in between."""

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self._stored = stored

    def get(self, room: Room) -> str:
        """The mark of the newest event that was committed; empty if there is none."""
        mark: str = self._stored.get(str(room), "")
        return mark

    def keep(self, event: UpEvent) -> None:
        """Note how far its room has been read, inside the event's transaction."""
        if event.room is not None and event.mark:
            self._stored[str(event.room)] = event.mark

    def drop(self, room: Room) -> None:
        """Forget a room that is bound no more, inside a transaction: what is said there until it is bound again is not for the channel."""
        self._stored.pop(str(room), None)
