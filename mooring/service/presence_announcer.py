"""What a service does for the other processes that serve the same channels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from mooring.channels.channel import HostedChannel
from mooring.outages import Outage
from storage.errors import StorageError

log = logging.getLogger(__name__)

_PAUSE = 0.25
"""Seconds between looks for members who came or went; so a crowd that comes at once is one commit."""


class PresenceAnnouncer:
    """Tells the others who is connected here. `hosted` is looked at anew each time. Channels do not wait for each other."""

    def __init__(self, hosted: Callable[[], Mapping[str, HostedChannel]]) -> None:
        self._hosted = hosted
        self._saying: dict[str, asyncio.Task[None]] = {}
        self._outage = Outage(log, "other processes are not told who is connected here", "other processes are told again who is connected here")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_PAUSE)
            self._say()

    async def end(self) -> None:
        """Say that nobody is connected here any more."""
        for channel in self._hosted().values():
            channel.state.members.clear_local()
        self._say()
        if self._saying:
            await asyncio.wait(tuple(self._saying.values()))

    def _say(self) -> None:
        self._outage.forget_others(self._hosted())
        for channel_id, channel in self._hosted().items():
            if channel.queue.is_presence_due and channel_id not in self._saying:
                task = self._saying[channel_id] = asyncio.create_task(channel.queue.say_presence(), name=f"presence of {channel_id}")
                task.add_done_callback(partial(self._said, channel_id))

    def _said(self, channel_id: str, task: asyncio.Task[None]) -> None:
        del self._saying[channel_id]
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, StorageError):
            self._outage.failed(error, channel_id)
        elif error is not None:
            log.warning("the other processes were not told who is connected to channel %s: %s", channel_id, error)
        else:
            self._outage.worked(channel_id)
