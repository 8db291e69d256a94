"""The clockwork: lets what is scheduled happen, in its channel's order and in a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from mooring.bots.agenda import Agenda, Entry
from mooring.bots.calling import run_function
from mooring.bots.context import Context, Service
from mooring.bots.plugins import Plugins
from mooring.bots.schedule import Patience, Schedule, ScheduledCall, Timer
from mooring.channels.system_dicts import SCHEDULES
from mooring.errors import CommandError
from mooring.outages import Outage
from mooring.protocols import ServiceError, UnknownChannel
from storage.errors import CommitFailed, StorageError

logger = logging.getLogger(__name__)

_LONGEST_SLEEP = 30.0
"""Seconds. The clock may be set."""

_RETRY = 5.0
"""Seconds until a channel that could not take what was due is asked again."""

_AT_ONCE = 200
"""So many calls are read or begun before others have the event loop."""

_BACK = 1.0
"""So many seconds make the difference between a clock that is set and one that is adjusted."""


@dataclass
class _Work:
    """What one channel has to do, one after the other."""

    waiting: deque[Entry] = field(default_factory=deque)
    done: asyncio.Future[Exception | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Timers:
    """Runs what is due in all channels of a service. No channel waits for another one."""

    def __init__(
        self,
        service: Service,
        plugins: Callable[[str], Plugins],
        clock: Callable[[], float],
        patience: Patience,
        on_given_up: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._service = service
        self._plugins = plugins
        self._clock = clock
        self._patience = patience
        self._on_given_up = on_given_up
        self._woken = asyncio.Event()
        self._outage = Outage(logger, "what is due in the channels waits", "what is due in the channels is run again")
        self._agenda = Agenda(clock, lambda: asyncio.get_running_loop().time())
        self._changed: dict[str, set[str] | None] = {}
        """The calls that have to be read anew, by channel; None: all."""
        self._working: dict[str, _Work] = {}
        self._seen = clock()

    def wake(self, channel_id: str | None = None, keys: Iterable[str] | None = None) -> None:
        """Look again now: something was scheduled, under these keys if they are known. On the event loop."""
        for each in self._service.channel_ids() if channel_id is None else [channel_id]:
            self._mark(each, keys)
        self._woken.set()

    def _mark(self, channel_id: str, keys: Iterable[str] | None = None) -> None:
        known = self._changed.get(channel_id, set())
        self._changed[channel_id] = None if keys is None or known is None else known | set(keys)

    async def run(self) -> None:
        """Run what comes due, until cancelled."""
        self.wake()
        self.begin()
        while True:
            self._woken.clear()
            self._look_at_the_clock()
            await self._start_due()
            wait = self._agenda.wait()
            with suppress(TimeoutError):
                # Not wait_for, which in Python 3.11 forgets that the task was cancelled if it is woken at the same moment.
                async with asyncio.timeout(_LONGEST_SLEEP if wait is None else min(wait, _LONGEST_SLEEP)):
                    await self._woken.wait()

    def begin(self, *, clock_was_set: bool = False) -> None:
        """Note in every channel when the functions of `every` come due."""
        for channel_id in self._service.channel_ids():
            timers = self._timers_of(channel_id)
            if timers or clock_was_set:
                self._service.spawn(self._begin(channel_id, timers, clock_was_set), name=f"timers: beginning in {channel_id}")

    def begin_channel(self, channel_id: str) -> None:
        """The same in one channel that was opened meanwhile."""
        timers = self._timers_of(channel_id)
        if timers:
            self._service.spawn(self._begin(channel_id, timers, False), name=f"timers: beginning in {channel_id}")
        self.wake(channel_id)

    def _timers_of(self, channel_id: str) -> list[Timer]:
        return [timer for plugin in self._plugins(channel_id).loaded.values() for timer in plugin.timers]

    def next_due(self) -> float | None:
        """When something comes due next in any channel."""
        for _ in self._read_changed():
            """All of it at once."""
        return self._agenda.next_due()

    async def run_due(self) -> None:
        """Run all that is due now in all channels, and wait for it.

        Raises CommitFailed or ServiceError if a channel could not take it; what was due there stays due.
        """
        await self._start_due()
        for error in await asyncio.gather(*(work.done for work in self._working.values())):
            if error is not None:
                raise error

    def _look_at_the_clock(self) -> None:
        now = self._clock()
        if now < self._seen - _BACK:
            logger.warning("the clock was set back by %.0f s; what was to come after some time still does", self._seen - now)
            self.begin(clock_was_set=True)
        self._seen = now

    async def _begin(self, channel_id: str, timers: Sequence[Timer], clock_was_set: bool) -> None:
        async def note(ctx: Context) -> None:
            schedule = Schedule(SCHEDULES.of(ctx.storage))
            for timer in timers:
                schedule.begin(timer, self._clock())
            if clock_was_set:
                schedule.follow_clock(self._clock())

        while True:
            try:
                await self._service.in_channel(channel_id, note, name="timers")
                self._outage.worked(channel_id)
                break
            except UnknownChannel:
                self._outage.worked(channel_id)
                return  # it was closed meanwhile
            except (StorageError, ServiceError) as error:
                self._outage.failed(error, channel_id)
                await asyncio.sleep(_RETRY)
        self.wake(channel_id)

    def _read_changed(self) -> Iterator[None]:
        """Read what has to be read; may be left for a while at each step."""
        while self._changed:
            channel_id, keys = self._changed.popitem()
            if channel_id not in self._service.channels:
                self._agenda.drop_channel(channel_id)
                continue
            schedule = Schedule(SCHEDULES.of(self._service.channels[channel_id]))
            if keys is None:
                self._agenda.drop_channel(channel_id)
                keys = set(schedule.keys())
            for number, key in enumerate(keys):
                if number % _AT_ONCE == 0:
                    yield
                call = schedule.get(key)
                if call is None or call.has_failed:
                    self._agenda.drop(channel_id, key)
                else:
                    self._agenda.put(channel_id, call)

    async def _start_due(self) -> None:
        for _ in self._read_changed():
            await asyncio.sleep(0)
        while entries := self._agenda.take_due(_AT_ONCE):
            for entry in entries:
                work = self._working.get(entry.channel_id)
                if work is None:
                    work = self._working[entry.channel_id] = _Work()
                    self._service.spawn(self._work(entry.channel_id, work), name=f"timers: {entry.channel_id}")
                work.waiting.append(entry)
            await asyncio.sleep(0)

    async def _work(self, channel_id: str, work: _Work) -> None:
        failure: Exception | None = None
        try:
            while work.waiting:
                entry = work.waiting.popleft()
                await self._run_one(channel_id, entry.call)
                self._outage.worked(channel_id)
                self.wake(channel_id, [entry.call.key])
        except UnknownChannel:
            self._outage.worked(channel_id)
            self._agenda.drop_channel(channel_id)  # what is due there is due when it is opened again
        except (CommitFailed, ServiceError) as error:
            self._outage.failed(error, channel_id)
            failure = error
            self._mark(channel_id)  # it is still due for whoever looks next, which by itself is later
            asyncio.get_running_loop().call_later(_RETRY, self._woken.set)
        finally:
            del self._working[channel_id]
            if not work.done.done():
                work.done.set_result(failure)

    async def _run_one(self, channel_id: str, call: ScheduledCall) -> None:
        try:
            await self._service.in_channel(channel_id, partial(self._run_call, call), name=f"{call.plugin}.{call.function}")
        except (CommitFailed, ServiceError):
            raise  # no fault of the plugin: it stays due
        except CommandError as error:
            await self._refused(channel_id, call, error)
        except Exception as error:  # noqa: BLE001 - whatever the plugin raises, it is tried again later, and not at once
            await self._failed(channel_id, call, error)

    async def _run_call(self, call: ScheduledCall, ctx: Context) -> None:
        # Looked up again inside the transaction: it may have been cancelled, or run by another process.
        if Schedule(SCHEDULES.of(ctx.storage)).take(call.key, self._clock(), call.due) is None:
            return
        plugin = ctx.plugins.loaded.get(call.plugin)
        if plugin is None and call.plugin in ctx.plugins.everywhere:
            if call.recurrence is not None:
                return  # it does not serve this channel, and is asked again next time
            raise _Gone(f"the plugin {call.plugin} does not serve this channel")
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
            Schedule(SCHEDULES.of(ctx.storage)).take(call.key, self._clock(), call.due)
            if ctx.channel.get(call.member_id) is not None:
                ctx.for_plugin(None, member_id=call.member_id).refuse(str(error))

        await self._note(channel_id, call, note)

    async def _failed(self, channel_id: str, call: ScheduledCall, error: Exception) -> None:
        """It is put off, or given up after its last try; then it stays in the list, for somebody to look after it."""
        problem = str(error) if isinstance(error, _Gone) else f"it raised {type(error).__name__}"

        async def note(ctx: Context) -> None:
            left = Schedule(SCHEDULES.of(ctx.storage)).put_off(call.key, self._clock(), problem, self._patience)
            if left is not None and left.has_failed:
                what = f"{call.plugin}.{call.function} is given up in channel {channel_id} after {left.tries} tries: {problem}"
                ctx.after_commit(partial(self._on_given_up, what))
                logger.error("%s", what)

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
