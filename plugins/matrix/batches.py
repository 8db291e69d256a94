"""What is to be read of a room, and the reading of what a sync left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from mooring import now
from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.events import is_joining, seconds_of
from mooring.plugins.matrix.homeserver import Homeserver
from mooring.plugins.matrix.names import Names
from mooring.plugins.matrix.troubles import Refusal

_MOST_AT_HAND = 200
"""So many events of a room are kept while it is busy with earlier ones; what comes beyond that is read when it is their turn."""


@dataclass(frozen=True)
class Batch:
    """All that happened in a room between two tokens."""

    since: str
    """Empty for a room that was never read: from where the bot came in, if that is not too long ago."""
    until: str
    events: tuple[Event, ...] = ()
    is_whole: bool = False
    """Whether `events` has all of it."""

    def and_then(self, later: Batch) -> Batch:
        """This and what happened after it."""
        events = self.events + later.events
        if self.is_whole and later.is_whole and len(events) <= _MOST_AT_HAND:
            return replace(self, until=later.until, events=events)
        return Batch(self.since, later.until)


class History:
    """Reads rooms in order, whatever there is, page by page."""

    def __init__(self, homeserver: Homeserver, names: Names, first_hours: float) -> None:
        self._homeserver = homeserver
        self.names = names
        self.user = homeserver.user
        self._first_seconds = 3600 * first_hours

    async def events(self, room: str, batch: Batch) -> AsyncIterator[tuple[Event, str]]:
        """The events of a batch, the oldest first, each with a token from which it, and all after it, can be read again. Raises Trouble."""
        if batch.is_whole:
            for event in batch.events:
                yield event, batch.since
            return
        start = batch.since or await self._beginning(room)
        while start:
            page = await self._homeserver.page(room, start, batch.until)
            self.names.learn(room, [*page.state, *page.chunk])
            for event in page.chunk:
                yield event, start
            start = page.end if page.end and page.end != start else ""

    async def _beginning(self, room: str) -> str:
        """The token from which a room is read for the first time; empty if nothing happened in it since."""
        oldest = now() - self._first_seconds
        own = await self._homeserver.own_newest(room, "m.room.member")
        joined = next((event for event in own if is_joining(event, self.user)), None)
        if joined is not None and seconds_of(joined) >= oldest:
            return (await self._homeserver.tokens_around(room, joined["event_id"]))[1]
        try:
            first = await self._homeserver.first_since(room, oldest)
        except Refusal:
            return ""  # nothing was said for so long, or the homeserver cannot tell
        return (await self._homeserver.tokens_around(room, first))[0]
