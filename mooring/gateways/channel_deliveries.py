"""The deliveries of one channel: a sender for each room for which something waits."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from mooring.channels.channel import HostedChannel
from mooring.channels.system_dicts import DELIVERIES
from mooring.channels.turn import Turn
from mooring.environment import Environment
from mooring.gateways.carriers import Carrier, GatewayCarrier
from mooring.gateways.channel_carrier import ChannelCarrier
from mooring.gateways.lease import Lease
from mooring.gateways.marks import Marks
from mooring.gateways.returns import ChannelHooks, Returns
from mooring.gateways.room_sender import RoomSender
from mooring.protocols import NetworkGateway, ServiceError
from mooring.rooms import OTHER_CHANNELS, Room
from storage import StorageError

log = logging.getLogger(__name__)

_OTHERS_FIRST = 0.3
"""Seconds that a process leaves to the one that committed something to send it."""

_MANY_ARRIVED = 64
"""So many entries that have arrived may stay in an outbox where nothing more is sent."""

_ALL_AT_ONCE = 1000
_AFTER_A_FAULT = 15.0

Networks = Callable[[str], NetworkGateway | None]


@dataclass(frozen=True)
class Waiting:
    """How much waits, and since when the oldest of it does, in seconds since 1970."""

    count: int
    since: float


class ChannelDeliveries:
    """Begins when it is woken. On the event loop."""

    def __init__(self, channel: HostedChannel, networks: Networks, hooks: ChannelHooks, process: str, environment: Environment) -> None:
        self._channel = channel
        self._outbox = channel.state.outbox
        self._networks = networks
        self._hooks = hooks
        self._returns = Returns(channel, hooks)
        self._returning: asyncio.Task[None] | None = None
        self._process = process
        self._clock, self._threads = environment.clock, environment.threads
        self._loop = asyncio.get_running_loop()
        # Not the context of whoever wakes it: that may be inside a transaction, and what sends must not be.
        self._context = contextvars.copy_context()
        self._marks: Marks | None = None
        self._senders: dict[Room, RoomSender] = {}
        self._tasks: dict[Room, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        """Opening and cleaning."""
        self._is_begun = False
        self._is_stopping = False

    async def open(self) -> None:
        """Find out how far the deliveries got, if there ever were any. Nothing is sent before `begin`."""
        if self._marks is None and (self._outbox.is_used or self._channel.state.bindings.rooms):
            storage = await self._threads.run(self._channel.storage.beside, DELIVERIES)
            self._marks = await self._threads.run(Marks, storage, self._channel.state.history.length)
            if self._marks.is_shared:
                await self._threads.run(self._marks.follow, lambda: self._call(self._catch_up))
            self._catch_up()

    def begin(self) -> None:
        """From here on things are sent."""
        self._is_begun = True
        self.wake()
        self._give_back(after=0.0)

    def wake(self, *, is_own: bool = True) -> None:
        """There may be something to send; `is_own` if this process committed it."""
        if not self._is_begun or self._is_stopping:
            return
        if self._marks is None:
            if not self._others:
                self._spawn(self._open_and_wake(), "opening the deliveries")
        elif is_own or not self._marks.is_shared:
            self._send(self._marks)
        else:
            self._loop.call_later(_OTHERS_FIRST, self.wake)

    def rouse(self, network: str) -> None:
        """A network can be reached again."""
        for room, sender in self._senders.items():
            if room.network == network:
                sender.rouse()
        self.wake()

    async def settle(self) -> None:
        """Wait until all that is for other channels is there."""
        while pending := [*self._others, *(task for room, task in self._tasks.items() if room.network == OTHER_CHANNELS)]:
            await asyncio.wait(pending)

    async def stop(self, patience: float) -> None:
        """Finish what is being sent, leave the rest for the next start, and give up after so many seconds."""
        self._is_stopping = True
        for sender in self._senders.values():
            sender.stop()
        if self._returning is not None:
            self._returning.cancel()
        running = (*self._tasks.values(), *self._others)
        if running:
            _, unfinished = await asyncio.wait(running, timeout=patience)
            for task in unfinished:
                task.cancel()
            if unfinished:
                log.warning("channel %s was still sending when its time was over; it goes on at the next start", self._channel.config.id)
                await asyncio.wait(unfinished)
        if self._marks is not None:
            await self._marks.stop()

    def close(self) -> None:
        """Let go of the storage, after `stop` or instead of it. Blocks."""
        self._is_stopping = True
        if self._marks is not None:
            self._marks.close()

    # -- what is measured ------------------------------------------------------------------------------------------------

    @property
    def aside(self) -> int:
        """How many entries came back from other channels and were not taken back yet."""
        return len(self._outbox.aside)

    @property
    def networks(self) -> frozenset[str]:
        """The networks of the rooms that the channel is bound to."""
        return frozenset(room.network for room in self._channel.state.bindings.rooms)

    def waiting(self) -> dict[str, Waiting]:
        """What waits for the rooms of each network. No room is named: it may be called by a person's name."""
        found: dict[str, Waiting] = {}
        for room, line in list(self._outbox.lines):
            if (oldest := line.oldest) is not None:
                before = found.get(room.network, Waiting(0, oldest))
                found[room.network] = Waiting(before.count + len(line.entries), min(before.since, oldest))
        return found

    def results(self) -> dict[str, Counter[str]]:
        """What became of all that was sent to the rooms of each network so far."""
        found: dict[str, Counter[str]] = {}
        for room, mark in (self._marks.all() if self._marks else {}).items():
            found.setdefault(room.network, Counter()).update(mark.counts)
        return found

    # --------------------------------------------------------------------------------------------------------------------

    def _send(self, marks: Marks) -> None:
        for room, _ in self._outbox.lines:
            sender = self._senders.get(room)
            if sender is None:
                sender = self._senders[room] = self._sender(room, marks)
            sender.wake()
            if room not in self._tasks and sender.can_send:
                task = self._tasks[room] = self._loop.create_task(sender.run(), name=f"sending to {room}", context=self._context.copy())
                task.add_done_callback(partial(self._ended, room))

    def _sender(self, room: Room, marks: Marks) -> RoomSender:
        bindings = self._channel.state.bindings
        return RoomSender(
            room,
            channel_id=self._channel.config.id,
            outbox=self._outbox,
            marks=marks,
            lease=Lease(marks, room, self._process),
            carrier=self._carrier(room, marks),
            when_unsure=lambda: bindings.when_unsure(room),
            clock=self._clock,
        )

    def _carrier(self, room: Room, marks: Marks) -> Carrier:
        if room.network == OTHER_CHANNELS:
            return ChannelCarrier(self._channel, room.id, self._hooks, self._returns)
        return GatewayCarrier(self._channel.config.id, room, marks, lambda: self._networks(room.network))

    def _ended(self, room: Room, task: asyncio.Task[None]) -> None:
        del self._tasks[room]
        if self._is_stopping or task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("sending to %s failed", room, exc_info=error)
            self._loop.call_later(_AFTER_A_FAULT, self.wake)
        else:
            self.wake()  # what was committed in the very moment in which it ended has found it here, and woken nobody
        self._give_back(after=_AFTER_A_FAULT)
        if not self._tasks and self._outbox.arrived > _MANY_ARRIVED and not self._others:
            self._spawn(self._clean(), "cleaning the outbox")

    def _give_back(self, after: float) -> None:
        """Begin to give back what was set aside, if there is something and nobody does, after so many seconds."""
        if self._outbox.aside and (self._returning is None or self._returning.done()):
            self._returning = self._loop.create_task(self._returns.run(after), name="giving back", context=self._context.copy())

    async def _open_and_wake(self) -> None:
        await self.open()
        self._loop.call_soon(self.wake)

    async def _clean(self) -> None:
        async def clean(turn: Turn) -> None:
            turn.work = "cleaning the outbox"
            turn.sends.clean = _ALL_AT_ONCE

        with suppress(ServiceError, StorageError):  # it is tried again when something more has arrived
            await self._channel.queue.run(clean)

    def _catch_up(self) -> None:
        if self._marks is not None:
            for room, mark in self._marks.all().items():
                self._outbox.settle(room, mark.done)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._loop.create_task(work, name=f"{name} of {self._channel.config.id}", context=self._context.copy())
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def _call(self, function: Callable[[], None]) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function)
