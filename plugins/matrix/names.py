"""What people are called in the rooms."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.events import named_in
from mooring.plugins.matrix.homeserver import Homeserver
from mooring.plugins.matrix.troubles import Refusal

_MOST = 10_000
_LONGEST = 500


class Names:
    """Remembers the names of those who were last active, and asks for those of others."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    def learn(self, room: str, events: Iterable[Event]) -> None:
        """Take over the names that events tell."""
        for event in events:
            found = named_in(event)
            if found is not None:
                self._keep((room, found[0]), found[1])

    async def name_of(self, room: str, user: str) -> str:
        """The name that somebody gave themselves, or else the first part of their id. Raises Trouble."""
        key = (room, user)
        if key not in self._known:
            try:
                name = await self._homeserver.name_of(room, user)
            except Refusal:
                name = ""  # they are in the room no more
            self._keep(key, name)
        self._known.move_to_end(key)
        return self._known[key] or user.partition(":")[0].removeprefix("@")

    def _keep(self, key: tuple[str, str], name: str) -> None:
        self._known[key] = name[:_LONGEST]
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
