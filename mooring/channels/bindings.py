"""Which rooms a channel is bound to: those of the config, and those that were bound while the service ran."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from mooring.channel_config import RoomConfig
from mooring.rooms import Room, WhenUnsure, checked_network


class Bindings:
    """The rooms of one channel. Those that the config does not name are in a dict of the channel's storage."""

    def __init__(self, configured: Iterable[RoomConfig], stored: MutableMapping[str, Any]) -> None:
        self._configured: dict[Room, WhenUnsure] = {entry.room: entry.when_unsure for entry in configured}
        self._stored = stored
        self._bound: dict[Room, WhenUnsure] = {}
        self.rooms: tuple[Room, ...] = ()
        """All of them; a tuple, which every event goes through."""
        self.refresh()

    def when_unsure(self, room: Room) -> WhenUnsure:
        """What becomes of messages to this room that may have arrived; for a room that is bound no more, the default."""
        return self._bound.get(room, "skip")

    def bind(self, room: Room, when_unsure: WhenUnsure) -> None:
        """Inside a transaction; `refresh` after its commit. Raises ValueError for a network's name that cannot be."""
        checked_network(room.network)
        if room not in self._configured:
            self._stored[str(room)] = {"when_unsure": when_unsure}

    def unbind(self, room: Room) -> bool:
        """Inside a transaction; whether it was bound. Raises ValueError for a room that the config names."""
        if room in self._configured:
            raise ValueError(f"{room} is bound in the config; take it out there")
        return self._stored.pop(str(room), None) is not None

    def refresh(self) -> None:
        """Take over what was committed, by this process or another."""
        kept = {Room.parse(key): entry["when_unsure"] for key, entry in self._stored.items()}
        self._bound = {**kept, **self._configured}
        self.rooms = tuple(self._bound)
