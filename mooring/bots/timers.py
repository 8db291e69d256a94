"""The clockwork: lets what is scheduled happen, in its channel's order and in a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from mooring.bots.calling import run_function
from mooring.bots.context import Context, Service
from mooring.bots.loading import Plugins
from mooring.bots.schedule import Patience, Schedule, ScheduledCall
from mooring.channels.system_dicts import SCHEDULES
from mooring.errors import CommandError
from mooring.protocols import ServiceError
from storage.errors import CommitFailed, StorageError

logger = logging.getLogger(__name__)

_LONGEST_SLEEP = 30.0
"""Seconds. The clock may be set, and another process may have scheduled something."""


class Timers:
    """Runs what is due in all channels of a service."""

    def __init__(
        self,
        service: Service,
        plugins: Callable[[], Plugins],
        clock: Callable[[], float],
        patience: Patience,
        on_given_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._service = service
        self._plugins = plugins
        self._clock = clock
        self._patience = patience
        self._on_given_up = on_given_up
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
        for call in self._schedule(channel_id).due(self._clock()):
            try:
                await self._service.in_channel(channel_id, partial(self._run_call, call), name=call.key)
            except (CommitFailed, ServiceError):
                raise  # no fault of the plugin: it stays due
            except CommandError as error:
                await self._refused(channel_id, call, error)
            except Exception as error:  # noqa: BLE001 - whatever the plugin raises, it is tried again later, and not at once
                await self._failed(channel_id, call, error)

    async def _run_call(self, call: ScheduledCall, ctx: Context) -> None:
        # Looked up again inside the transaction: it may have been cancelled, or run by another process.
        if Schedule(SCHEDULES.of(ctx.storage)).take(call.key, self._clock()) is None:
            return
        plugin = self._plugins().loaded.get(call.plugin)
        function = getattr(plugin.module, call.function, None) if plugin else None
        if plugin is None or not callable(function):
            raise _Gone(f"there is no function {call.plugin}.{call.function} any more")
        if call.member_id and ctx.channel.get(call.member_id) is None:
            raise _Gone("its member has left the channel")
        await run_function(ctx.for_plugin(plugin, member_id=call.member_id), call.function, function, *call.arguments)

    async def _refused(self, channel_id: str, call: ScheduledCall, error: CommandError) -> None:
        """It said that it will not be done: what it changed is undone, its member is told, and that was it."""
        logger.info("%s.%s was not done in channel %s: %s", call.plugin, call.function, channel_id, error)

        async def note(ctx: Context) -> None:
            Schedule(SCHEDULES.of(ctx.storage)).take(call.key, self._clock())
            if ctx.channel.get(call.member_id) is not None:
                ctx.for_plugin(None, member_id=call.member_id).refuse(str(error))

        await self._note(channel_id, call, note)

    async def _failed(self, channel_id: str, call: ScheduledCall, error: Exception) -> None:
        """It is put off, or given up after its last try; then it stays in the list, for somebody to look after it."""
        problem = str(error) if isinstance(error, _Gone) else f"it raised {type(error).__name__}"

        async def note(ctx: Context) -> None:
            left = Schedule(SCHEDULES.of(ctx.storage)).put_off(call.key, self._clock(), problem, self._patience)
            if left is not None and left.has_failed:
                ctx.after_commit(self._on_given_up)
                logger.error("%s.%s is given up in channel %s after %d tries: %s", call.plugin, call.function, channel_id, left.tries, problem)

        trace = None if isinstance(error, _Gone) else error
        logger.error("%s.%s failed in channel %s: %s", call.plugin, call.function, channel_id, problem, exc_info=trace)
        await self._note(channel_id, call, note)

    async def _note(self, channel_id: str, call: ScheduledCall, note: Callable[[Context], Awaitable[None]]) -> None:
        try:
            await self._service.in_channel(channel_id, note, name=call.key)
        except (StorageError, ServiceError) as error:
            what = f"{call.plugin}.{call.function} in channel {channel_id}"
            logger.warning("what became of %s could not be written, so it is run again: %s", what, error)


class _Gone(Exception):
    """What a call needs is not there; perhaps it will be again."""
