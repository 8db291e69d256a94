"""Guests as time goes by: that those are seen who are here is noted, so that none of them is forgotten, and passers-by are forgotten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from mooring.bots.context import Context, Service
from mooring.bots.membership import remove_member
from mooring.channels.channel import HostedChannel
from mooring.clock import Clock
from mooring.protocols import ServiceError
from mooring.roles import noted_seconds
from storage import StorageError

log = logging.getLogger(__name__)

_EVERY_SECONDS = 3600.0
_PASSERS_BY_SECONDS = 3600.0
"""So long after a guest was seen last who never did anything, they may be forgotten: nothing is lost but a name in the list of members."""
_AT_ONCE = 100
"""Guests in one turn, so that no event waits for long."""


async def look_after_guests(service: Service, hosted: Callable[[], Mapping[str, HostedChannel]], clock: Clock, guest_seconds: float) -> None:
    """As long as it runs, note once a day that the guests are seen who are connected to this process, and more often if they are forgotten
    soon; and let passers-by go.
    """
    while True:
        await asyncio.sleep(min(_EVERY_SECONDS, noted_seconds(guest_seconds)))
        for channel in list(hosted().values()):
            await note_guests_of(service, channel, clock, noted_seconds(guest_seconds))
            await forget_passers_by(service, channel, clock, min(_PASSERS_BY_SECONDS, guest_seconds))


async def note_guests_of(service: Service, channel: HostedChannel, clock: Clock, seconds: float) -> None:
    """Note it in one channel for those of whom nothing was noted for so long."""

    async def note(ctx: Context, member_id: str) -> None:
        ctx._turn.members.saw(member_id, clock())

    await _for_each(service, channel, channel.state.members.unseen(clock() - seconds), "noting that guests are here", note)


async def forget_passers_by(service: Service, channel: HostedChannel, clock: Clock, seconds: float) -> None:
    """Let the guests of one channel leave who never did anything, and were seen last so many seconds ago.

    When exactly somebody was here is noted once a day at most, so some are forgotten sooner; they come back as what they were, newcomers.
    """
    members = channel.state.members

    async def forget(ctx: Context, member_id: str) -> None:
        standing, member = ctx._turn.members.standing(member_id, clock()), ctx.channel.get(member_id)
        if member is not None and standing is not None and not standing.has_acted and not members.is_online(member_id):
            await remove_member(ctx, member)

    await _for_each(service, channel, members.passers_by(clock() - seconds), "forgetting passers-by", forget)


async def _for_each(
    service: Service, channel: HostedChannel, member_ids: list[str], name: str, act: Callable[[Context, str], Awaitable[None]]
) -> None:
    for first in range(0, len(member_ids), _AT_ONCE):

        async def act_on_some(ctx: Context, some: list[str] = member_ids[first : first + _AT_ONCE]) -> None:
            for member_id in some:
                if member_id in ctx._turn.members:
                    await act(ctx, member_id)

        with suppress(StorageError, ServiceError):  # the next hour is soon enough
            await service.in_channel(channel.config.id, act_on_some, name=name)
