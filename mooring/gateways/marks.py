"""How far the deliveries of a channel have got: one mark a room, and what networks call the messages that they took.

They are in a storage of their own beside that of the channel, whose version is another; so no mark makes a turn run again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from mooring.channels.system_dicts import MARKS, POSTS
from mooring.outages import Outage
from mooring.rooms import Room
from storage import CommitFailed, MoobiusStorage, VersionConflict

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0


class Tried(msgspec.Struct, frozen=True):
    """What is known of the oldest number that is not done."""

    number: int
    since: float
    """When it was tried first, in seconds since 1970."""
    is_open: bool
    """Whether it may have been taken. False says that it certainly was not."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far one room has got."""

    done: int = 0
    """Everything up to this number has left the outbox, in one way or another."""
    tried: Tried | None = None
    holder: str = ""
    """Which process sends, empty if none does."""
    turn: int = 0
    """Grows whenever another process begins to send."""
    beat: int = 0
    """Grows as long as the process that sends is there."""
    not_before: float = 0.0
    """Until then the network asked to be left alone, in seconds since 1970."""
    counts: Mapping[str, int] = {}
    """What became of all that was sent so far; the words are those of the metrics."""


class LeaseLost(Exception):
    """Another process sends for the room by now."""


@dataclass
class _Change:
    room: Room
    alter: Callable[[Mark], Mark]
    sent: tuple[str, str] | None
    done: asyncio.Future[Mark]


class Marks:
    """The marks of one channel. Changes that are asked for at the same time, by several rooms, are one commit."""

    def __init__(self, storage: MoobiusStorage, keep: int) -> None:
        self._storage = storage
        self._keep = keep
        self._stored = MARKS.of(storage)
        self._posts = POSTS.of(storage)
        self.is_shared = storage.is_shared
        """Whether other processes may send for the same rooms."""
        self._waiting: list[_Change] = []
        self._writer: asyncio.Task[None] | None = None
        self._outage = Outage(log, f"what is delivered from channel {storage.channel_id} cannot be noted", "it can be noted again what is delivered")
        self._order: dict[str, list[str]] | None = None
        """The keys of the posts of each room, oldest first; None until somebody needs it."""

    def get(self, room: Room) -> Mark:
        """The mark as it is kept."""
        stored = self._stored.get(str(room))
        try:
            return Mark() if stored is None else msgspec.convert(stored, Mark)
        except msgspec.ValidationError as error:
            log.warning("how far the deliveries to %s have got is not readable: %s", room, error)
            return Mark()

    def all(self) -> dict[Room, Mark]:
        """Those of all rooms to which anything was ever sent."""
        rooms = [Room.parse(key) for key in self._stored]
        return {room: self.get(room) for room in rooms}

    def is_known(self, room: Room) -> bool:
        """Whether anything was ever sent to the room."""
        return str(room) in self._stored

    def network_id(self, room: Room, message_id: str) -> str:
        """What the network calls a message, empty if that is not known, or not any more."""
        kept = self._posts.get(_post_key(room, message_id))
        return "" if kept is None else str(kept[1])

    async def change(self, room: Room, alter: Callable[[Mark], Mark], sent: tuple[str, str] | None = None) -> Mark:
        """Alter a mark, and note what the network calls a message (its id and the network's). Returns when that is kept, however long it takes.

        `alter` may be called more than once, and raises LeaseLost if that has happened, which is raised here. Raises StorageError when
        the storage was closed.
        """
        change = _Change(room, alter, sent, asyncio.get_running_loop().create_future())
        self._waiting.append(change)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="delivery marks")
        return await change.done

    def follow(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in any thread, when other processes changed marks. Blocks."""
        self._storage.follow(listener)

    async def stop(self) -> None:
        """Note nothing more; what was not kept by now is not."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])

    def close(self) -> None:
        """Let go of the storage. Blocks."""
        self._storage.close()

    async def _write(self) -> None:
        pause = _FIRST_PAUSE
        batch: list[_Change] = []
        while self._waiting or batch:
            batch += self._waiting
            self._waiting = []
            try:
                async with self._storage.transaction(event="delivery"):
                    outcomes = [self._apply(change) for change in batch]
            except VersionConflict:
                self._order = None
                continue
            except CommitFailed as error:
                self._order = None
                self._outage.failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except Exception as error:  # noqa: BLE001 - whoever waits has to hear of it, whatever it is
                outcomes = [error] * len(batch)
            else:
                self._outage.worked()
            pause = _FIRST_PAUSE
            for change, outcome in zip(batch, outcomes, strict=True):
                _tell(change.done, outcome)
            batch = []

    def _apply(self, change: _Change) -> Mark | Exception:
        try:
            mark = change.alter(self.get(change.room))
        except LeaseLost as error:
            return error
        self._stored[str(change.room)] = msgspec.to_builtins(mark)
        if change.sent is not None:
            self._note_post(change.room, mark.done, *change.sent)
        return mark

    def _note_post(self, room: Room, number: int, message_id: str, network_id: str) -> None:
        key = _post_key(room, message_id)
        if self._order is None:
            self._order = {}
            for known, _ in sorted(self._posts.items(), key=lambda item: int(item[1][0])):
                self._order.setdefault(known.rpartition("\n")[0], []).append(known)
        order = self._order.setdefault(str(room), [])
        if key not in self._posts:
            order.append(key)
        self._posts[key] = [number, network_id]
        while len(order) > self._keep:
            self._posts.pop(order.pop(0), None)


def _post_key(room: Room, message_id: str) -> str:
    return f"{room}\n{message_id}"


def _tell(done: asyncio.Future[Mark], outcome: Mark | Exception) -> None:
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
