"""The clockwork: lets what is scheduled happen, in its channel's order and in a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from mooring.bots.calling import run_function
from mooring.bots.context import Context, Service
from mooring.bots.loading import Plugins
from mooring.bots.schedule import Schedule, ScheduledCall
from mooring.channels.system_dicts import SCHEDULES
from mooring.errors import CommandError
from mooring.protocols import ServiceError
from storage.errors import CommitFailed, StorageError

logger = logging.getLogger(__name__)

_LONGEST_SLEEP = 30.0
"""Seconds. The clock may be set, and another process may have scheduled something."""


class Timers:
    """Runs what is due in all channels of a service."""

    def __init__(self, service: Service, plugins: Callable[[], Plugins], clock: Callable[[], float]) -> None:
        self._service = service
        self._plugins = plugins
        self._clock = clock
        self._woken = asyncio.Event()
        self._running = asyncio.Lock()

    def wake(self) -> None:
        """Look again now: something was scheduled."""
        self._woken.set()

    async def run(self) -> None:
        """Run what comes due, until cancelled."""
        begun = False
        while True:
            self._woken.clear()
            next_due = None
            try:
                if not begun:
                    await self.begin()
                    begun = True
                await self.run_due()
                next_due = self.next_due()
            except (StorageError, ServiceError) as error:
                logger.warning("the schedules are looked at again later: %s", error)
            wait = _LONGEST_SLEEP if next_due is None else min(_LONGEST_SLEEP, max(0.0, next_due - self._clock()))
            try:
                await asyncio.wait_for(self._woken.wait(), wait)
            except TimeoutError:
                continue

    async def begin(self) -> None:
        """Note in every channel when the functions of `every` come due."""
        timers = [timer for plugin in self._plugins().loaded.values() for timer in plugin.timers]

        async def note(ctx: Context) -> None:
            schedule = Schedule(SCHEDULES.of(ctx.storage))
            for timer in timers:
                schedule.begin(timer, self._clock())

        if timers:
            for channel_id in self._service.channel_ids():
                await self._service.in_channel(channel_id, note, name="timers")

    def next_due(self) -> float | None:
        """When something comes due next in any channel."""
        found = [self._schedule(channel_id).next_due() for channel_id in self._service.channel_ids()]
        return min((due for due in found if due is not None), default=None)

    async def run_due(self) -> None:
        """Run all that is due now in all channels, which do not wait for each other.

        Raises CommitFailed or ServiceError if a channel could not take it; what was due there stays due.
        """
        async with self._running:
            work = (self._run_channel(channel_id) for channel_id in self._service.channel_ids())
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome is not None:
                    raise outcome

    def _schedule(self, channel_id: str) -> Schedule:
        return Schedule(SCHEDULES.of(self._service.channels[channel_id]))

    async def _run_channel(self, channel_id: str) -> None:
        for entry in self._schedule(channel_id).due(self._clock()):
            try:
                await self._service.in_channel(channel_id, partial(self._run_entry, entry), name=entry.key)
            except (CommitFailed, ServiceError):
                raise  # no fault of the plugin: it stays due
            except Exception as error:  # noqa: BLE001 - whatever the plugin raises, it shall not come due again at once
                await self._give_up(channel_id, entry, error)

    async def _run_entry(self, entry: ScheduledCall, ctx: Context) -> None:
        # Looked up again inside the transaction: it may have been cancelled, or run by another process.
        schedule = Schedule(SCHEDULES.of(ctx.storage))
        if schedule.take(entry.key, self._clock()) is None:
            return
        plugin = self._plugins().loaded.get(entry.plugin)
        function = getattr(plugin.module, entry.function, None) if plugin else None
        if plugin is None or not callable(function):
            schedule.cancel(entry.key)
            logger.warning("%s.%s was due in channel %s, but there is no such function any more", entry.plugin, entry.function, ctx.channel.id)
            return
        await run_function(ctx.for_plugin(plugin, member_id=entry.member_id), entry.function, function, *entry.arguments)

    async def _give_up(self, channel_id: str, entry: ScheduledCall, error: Exception) -> None:
        """What raised is undone, and is not tried again; the member in whose name it ran is told what is meant for members."""
        if isinstance(error, CommandError):
            logger.info("%s.%s was not done in channel %s: %s", entry.plugin, entry.function, channel_id, error)
        else:
            logger.error("%s.%s failed in channel %s", entry.plugin, entry.function, channel_id, exc_info=error)

        async def note(ctx: Context) -> None:
            Schedule(SCHEDULES.of(ctx.storage)).take(entry.key, self._clock())
            if isinstance(error, CommandError) and ctx.channel.get(entry.member_id) is not None:
                ctx.for_plugin(None, member_id=entry.member_id).refuse(str(error))

        try:
            await self._service.in_channel(channel_id, note, name=entry.key)
        except Exception:
            logger.exception("the schedule of channel %s could not be written", channel_id)
