"""Handing what happens in one room to its channel, in order and to the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from mooring import Acknowledgement, Arrival, Arrivals, now
from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.batches import Batch, History
from mooring.plugins.matrix.events import seconds_of, what_happened
from mooring.plugins.matrix.speech import Speech
from mooring.plugins.matrix.troubles import Refusal, Trouble

log = logging.getLogger(__name__)

_NO_SUCH_PLACE = frozenset({"M_UNKNOWN", "M_INVALID_PARAM", "M_NOT_FOUND"})
_PAUSE = 2.0
_MANY = 30
"""So many failures in a row are told: what keeps the whole homeserver away is told by the sync."""


class RoomReader:
    """One for each room; `run` it as a task that does not end. It keeps what it has in hand when it is begun again."""

    def __init__(self, room: str, arrivals: Arrivals, history: History, speech: Speech, is_accepting: Callable[[], bool]) -> None:
        self._room = room
        self._arrivals = arrivals
        self._history = history
        self._speech = speech
        self._is_accepting = is_accepting
        self._in_hand: Batch | None = None
        """What is left of what is being read."""
        self._waiting: Batch | None = None
        self._woken = asyncio.Event()
        self._failures = 0

    def add(self, batch: Batch) -> None:
        """There is more to read."""
        self._waiting = batch if self._waiting is None else self._waiting.and_then(batch)
        self._woken.set()

    async def run(self) -> None:
        """Read what there is, for ever."""
        while True:
            while self._in_hand is not None and self._is_accepting():
                await self._read(self._in_hand)
            if self._waiting is None or not self._is_accepting():
                self._woken.clear()
                await self._woken.wait()
            else:
                self._in_hand, self._waiting = self._waiting, None

    async def _read(self, batch: Batch) -> None:
        """Hand in a batch as far as the homeserver lets it be read."""
        try:
            await self._hand_in(batch)
        except Refusal as error:
            is_lost = error.code in _NO_SUCH_PLACE and bool(batch.since)
            what_now = "from what is not too old on" if is_lost else "only what is said from now on"
            log.warning("%s is not read from where it was left (%s), but %s", self._room, error, what_now)
            self._in_hand = Batch("", batch.until) if is_lost else None
        except Trouble as error:
            self._failures += 1
            if self._failures == _MANY:
                log.warning("%s could not be read for a while, and is tried again and again: %s", self._room, error)
            await asyncio.sleep(error.seconds or _PAUSE)
        else:
            self._failures = 0
            self._in_hand = None

    async def _hand_in(self, batch: Batch) -> None:
        """Each event with a mark from which all after it are read; the last with the end of the batch, which is not read again."""
        before: Arrival | None = None
        async for event, mark in self._history.events(self._room, batch):
            arrival = await self._arrival(event, mark)
            if arrival is None:
                continue
            if before is not None and await self._receive(before) is None:
                return
            before = arrival
            if not batch.is_whole:
                # Not from the beginning after a trouble: of what was handled long ago nobody may remember that it was.
                self._in_hand = replace(batch, since=mark)
        if before is not None:
            await self._receive(replace(before, mark=batch.until))

    async def _receive(self, arrival: Arrival) -> Acknowledgement | None:
        """The answer; None if what follows is not to be handed in."""
        return await self._arrivals.receive(arrival) if self._is_accepting() else None

    async def _arrival(self, event: Event, mark: str) -> Arrival | None:
        found = what_happened(event, self._history.user)
        if found is None:
            self._speech.pass_by(self._room, event)
            return None
        user, what = found[0], await self._speech.meant(self._room, event, found[1])
        name = await self._history.names.name_of(self._room, user)
        at = min(seconds_of(event) or now(), now())
        return Arrival(self._room, event["event_id"], user, name, what, at=at, mark=mark)
