"""Guests who stay for long: that they are seen is noted from time to time, so that nobody who is here, or was a moment ago, is forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from mooring.channels.channel import HostedChannel
from mooring.channels.turn import Turn
from mooring.clock import Clock
from mooring.protocols import ServiceError
from mooring.roles import noted_seconds
from storage import StorageError

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_AT_ONCE = 100
"""Guests in one turn, so that no event waits for long."""


async def note_guests(hosted: Callable[[], Mapping[str, HostedChannel]], clock: Clock, guest_seconds: float) -> None:
    """Note once a day, as long as it runs, that the guests are seen who are connected to this process; more often if they are forgotten soon."""
    while True:
        await asyncio.sleep(min(_EVERY_SECONDS, noted_seconds(guest_seconds)))
        for channel in list(hosted().values()):
            await note_guests_of(channel, clock, noted_seconds(guest_seconds))


async def note_guests_of(channel: HostedChannel, clock: Clock, seconds: float) -> None:
    """Note it in one channel for those of whom nothing was noted for so long."""
    unseen = channel.state.members.unseen(clock() - seconds)
    for first in range(0, len(unseen), _AT_ONCE):
        some = unseen[first : first + _AT_ONCE]

        async def note(turn: Turn, member_ids: list[str] = some) -> None:
            turn.work = "noting that guests are here"
            for member_id in member_ids:
                if member_id in turn.members:
                    turn.members.saw(member_id, turn.clock())

        with suppress(StorageError, ServiceError):  # the next hour is soon enough
            await channel.queue.run(note)
