"""One process at a time sends for a room.

Who sends has its name in the room's mark, with the number of its turn there, and shows with every change that it is still alive. Who
is not heard of for some time loses the room: the next one takes a higher number, and every change by the one before is refused
from then on. Before each send the holder looks whether its own last sign of life is recent enough; so one that was stopped
in between sends nothing when it wakes, before it has found out whether the room is still its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

from msgspec.structs import replace

from mooring.gateways.marks import LeaseLost, Mark, Marks
from mooring.rooms import Room
from storage import StorageError

LEASE_SECONDS = 6.0
"""Silence after which a process counts as gone. Each measures by its own clock, so that clocks need not agree."""

_BEAT_SECONDS = LEASE_SECONDS / 3
_LOOK_SECONDS = 0.25


class Lease:
    """The right of this process to send for one room. Where no other process can serve the channel, it costs nothing."""

    def __init__(self, marks: Marks, room: Room, process: str) -> None:
        self._marks = marks
        self._room = room
        self._process = process
        self._now = asyncio.get_running_loop().time
        self._turn = 0
        self._fresh_until = 0.0
        self.was_given_back = False
        """Whether who sent before said how far it got; false after a crash."""

    @property
    def is_fresh(self) -> bool:
        """Whether nobody else can have taken the room yet."""
        return not self._marks.is_shared or self._now() < self._fresh_until

    async def change(self, alter: Callable[[Mark], Mark], sent: tuple[str, str] | None = None) -> Mark:
        """Alter the mark of the room, as its holder, which is a sign of life too. Raises LeaseLost and StorageError."""
        if not self._marks.is_shared:
            return await self._marks.change(self._room, alter, sent)

        def checked(mark: Mark) -> Mark:
            if (mark.holder, mark.turn) != (self._process, self._turn):
                raise LeaseLost(str(self._room))
            return replace(alter(mark), beat=mark.beat + 1)

        began = self._now()
        mark = await self._marks.change(self._room, checked, sent)
        self._fresh_until = began + LEASE_SECONDS - _BEAT_SECONDS
        return mark

    async def renew(self) -> None:
        """Show that this process is there. Raises LeaseLost and StorageError."""
        await self.change(lambda mark: mark)

    @asynccontextmanager
    async def held(self, is_wanted: Callable[[], bool]) -> AsyncIterator[Mark]:
        """Wait until the room is ours; it is in the block, and given back after it.

        Raises LeaseLost, also if the room is wanted no more before it is ours, and StorageError.
        """
        if not self._marks.is_shared:
            yield self._marks.get(self._room)
            self.was_given_back = True
            return
        mark = await self._take(is_wanted)
        beating = asyncio.create_task(self._beat(), name=f"lease of {self._room}")
        try:
            yield mark
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            with suppress(LeaseLost, StorageError):
                await self.change(lambda mark: replace(mark, holder=""))

    async def _take(self, is_wanted: Callable[[], bool]) -> Mark:
        while True:
            seen = await self._silence(is_wanted)
            began = self._now()
            before = self._marks.get(self._room)
            try:
                mark = await self._marks.change(self._room, partial(_taken, seen=seen, process=self._process))
            except LeaseLost:
                continue
            self._turn = mark.turn
            self.was_given_back = not before.holder
            self._fresh_until = began + LEASE_SECONDS - _BEAT_SECONDS
            return mark

    async def _silence(self, is_wanted: Callable[[], bool]) -> tuple[int, int]:
        """Wait until nobody holds the room, or its holder was not heard of for too long; what was seen of it last."""
        since, seen = self._now(), (-1, -1)
        while is_wanted():
            mark = self._marks.get(self._room)
            now = self._now()
            if (mark.turn, mark.beat) != seen:
                since, seen = now, (mark.turn, mark.beat)
            if not mark.holder or now - since > LEASE_SECONDS:
                return seen
            await asyncio.sleep(_LOOK_SECONDS)
        raise LeaseLost

    async def _beat(self) -> None:
        with suppress(LeaseLost, StorageError):  # whoever sends next finds that out as well
            while True:
                await asyncio.sleep(_BEAT_SECONDS)
                await self.renew()


def _taken(mark: Mark, seen: tuple[int, int], process: str) -> Mark:
    if (mark.turn, mark.beat) != seen:
        raise LeaseLost
    return replace(mark, holder=process, turn=mark.turn + 1, beat=mark.beat + 1)
