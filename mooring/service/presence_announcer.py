"""What a service does for the other processes that serve the same channels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from mooring.channels.channel import HostedChannel

_PAUSE = 0.25
"""Seconds between looks for members who came or went; so a crowd that comes at once is one commit."""


class PresenceAnnouncer:
    """Tells the others who is connected here. `hosted` is looked at anew each time."""

    def __init__(self, hosted: Callable[[], Mapping[str, HostedChannel]]) -> None:
        self._hosted = hosted

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE)
            await self._say()

    async def end(self) -> None:
        """Say that nobody is connected here any more."""
        for channel in self._hosted().values():
            channel.state.members.clear_local()
        await self._say()

    async def _say(self) -> None:
        shared = [channel.queue for channel in self._hosted().values() if channel.state.presence is not None]
        await asyncio.gather(*(queue.say_presence() for queue in shared))
