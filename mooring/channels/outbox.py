"""The outbox of a channel: what its commits send out of it, kept until it has arrived.

An entry is one message for rooms of networks, or one event for another channel, which is dealt with as one more room. It has a
number in each of its rooms. The numbers of a room leave none out, so that whoever sends sees by a gap how many had to give way.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from mooring.channels.outbox_entries import NOTHING, Entry, Parcel, Queued
from mooring.channels.outbox_line import Line
from mooring.errors import CommandError
from mooring.rooms import OTHER_CHANNELS, Room

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode

NUMBERS = "numbers"
"""The key of the newest number of each room. All other keys are those of entries."""

_CLEANED_FOR_ONE = 4
"""How many entries that have arrived are taken out with each that is added: more than one, so that none pile up."""

FULL = "Too much is on its way from here to other channels. Try again later."


class Outbox:
    """The entries of one channel, in a dict of its storage and, as the commits left them, in memory.

    `length` and `size` (in bytes) are the most that may wait for one room; beyond that the oldest give way, but for the very
    first, which may just be on its way. What is for other channels never does: the turn is refused that would send more.
    """

    def __init__(self, stored: MutableMapping[str, Any], *, length: int, size: int) -> None:
        self._stored = stored
        self._length = length
        self._size = size
        self._lines: dict[Room, Line] = {}
        self._entries: dict[str, Entry] = {}
        self._arrived: dict[str, None] = {}
        """Entries that have arrived everywhere, and are still in the dict."""
        self.aside: dict[str, tuple[str, str]] = {}
        """Entries that another channel did not take and this one could not take back yet: which channel, and why not."""
        self._handed: list[Queued] = []
        self._numbers: Mapping[str, Any] | None = None
        """What the newest of these made of the numbers; None if they have to be read."""
        for key in list(stored):
            self._load(key)
        self._sort(self._lines)

    # -- in the turn -----------------------------------------------------------------------------------------------------

    def limit(self, length: int, size: int) -> None:
        """From now on so much may wait for one room or one other channel."""
        self._length, self._size = length, size

    def add(self, parcels: Sequence[Parcel], now: float, clean: int = 0) -> Queued:
        """Keep what is to be sent, inside the event's transaction, and take out up to `clean` entries that have arrived.

        `hand` the result on when the transaction was handed in, and `accept` it when it is kept. Raises CommandError if too much
        waits for another channel.
        """
        if not parcels:
            return Queued(removed=list(self._clean(clean))) if clean else NOTHING
        kept = self._numbers or self._stored.get(NUMBERS) or {"id": f"{random.getrandbits(64):016x}", "last": {}}
        last: dict[str, int] = dict(kept["last"])
        added = []
        for parcel in parcels:
            numbers = {}
            for room in parcel.rooms:
                numbers[room] = last[str(room)] = max(last.get(str(room), 0), self._line(room).last) + 1
            record = {"at": now, "from": kept["id"], "rooms": {str(room): number for room, number in numbers.items()}, **parcel.content}
            self._stored[parcel.key] = record
            added.append(Entry(parcel.key, now, _size(record), parcel.message_id, numbers))
        numbers_now = self._stored[NUMBERS] = {"id": kept["id"], "last": last}
        given_up, removed = self._make_room(added)
        return Queued(added, given_up, [*removed, *self._clean(clean + _CLEANED_FOR_ONE * len(added))], numbers_now)

    def hand(self, queued: Queued) -> None:
        """Go on from these entries, whose commit is on its way."""
        if queued is not NOTHING:
            self._handed.append(queued)
            self._numbers = queued.numbers or self._numbers
            self._count_ahead(queued, 1)

    def accept(self, queued: Queued) -> None:
        """Take over what a commit has made true."""
        if queued is NOTHING:
            return
        if queued in self._handed:
            self._handed.remove(queued)
            self._count_ahead(queued, -1)
        for entry in queued.added:
            self._put(entry)
        for room, entry in queued.given_up:
            self._leave(room, entry)
        for key in queued.removed:
            self._arrived.pop(key, None)
            self._entries.pop(key, None)

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed.clear()
        self._numbers = None
        for line in self._lines.values():
            line.reset()

    def catch_up(self, keys: Iterable[str] | None) -> frozenset[Room]:
        """Take over what other processes committed under these keys (None: under any), and return where there may be something new.

        Inside a transaction, as it reads the dict.
        """
        self.reset()
        changed = {*self._entries, *self._stored} if keys is None else set(keys)
        rooms = frozenset(room for key in changed for room in self._load(key))
        self._sort(rooms)
        return rooms

    def take_out(self, key: str) -> dict[str, Any] | None:
        """An entry that is to be sent no more, out of the dict, inside a transaction; None if it is not there any more."""
        record: dict[str, Any] | None = self._stored.pop(key, None)
        return record

    def set_aside(self, key: str, to: str, reason: str) -> None:
        """Keep an entry that the channel `to` did not take, though nothing sends it any more; inside a transaction. `look_again` after it."""
        record = self._stored.get(key)
        if record is not None:
            self._stored[key] = {**record, "rooms": {}, "aside": [to, reason]}

    def look_again(self, key: str) -> None:
        """Take over what became of an entry by `take_out` or `set_aside`."""
        self._load(key)

    # -- for who sends ---------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> Collection[tuple[Room, Line]]:
        """What waits, by room."""
        return [(room, line) for room, line in self._lines.items() if line.entries]

    @property
    def arrived(self) -> int:
        """How many entries there are that can be taken out."""
        return len(self._arrived)

    @property
    def is_used(self) -> bool:
        """Whether anything was ever sent from here."""
        return bool(self._entries) or NUMBERS in self._stored

    def head(self, room: Room) -> tuple[int, Entry] | None:
        """The oldest entry that waits for a room, and its number there."""
        line = self._lines.get(room)
        return next(iter(line.entries.items()), None) if line else None

    def record(self, entry: Entry) -> dict[str, Any] | None:
        """What is kept of an entry, None if it is not there any more."""
        record: dict[str, Any] | None = self._stored.get(entry.key)
        return record

    def after(self, room: Room, number: int) -> int | None:
        """The number of the entry that waits next after this one, if no other had to give way in between."""
        return number + 1 if number + 1 in self._line(room).entries else None

    def is_superseded(self, room: Room, number: int, message_id: str) -> bool:
        """Whether a newer edit of the same message waits for the room."""
        return self._line(room).newest.get(message_id, 0) > number

    def settle(self, room: Room, number: int) -> None:
        """Everything up to this number has left for the room, as is noted where nobody forgets it."""
        line = self._line(room)
        for entry in line.pass_on(number):
            self._leave(room, entry)

    # --------------------------------------------------------------------------------------------------------------------

    def _line(self, room: Room) -> Line:
        line = self._lines.get(room)
        if line is None:
            line = self._lines[room] = Line()
        return line

    def _make_room(self, added: Sequence[Entry]) -> tuple[list[tuple[Room, Entry]], list[str]]:
        """What has to give way to what is added, and the keys of entries of which nothing is left then."""
        rooms = [room for room in dict.fromkeys(room for entry in added for room in entry.numbers) if not self._has_room(room, added)]
        given_up = [(room, entry) for room in rooms for entry in self._surplus(room, added)]
        return given_up, [entry.key for room, entry in given_up if self._shorten(entry, room)]

    def _has_room(self, room: Room, added: Sequence[Entry]) -> bool:
        """Whether all of it fits, even if all of it is for this room."""
        line = self._line(room)
        return line.count + len(added) <= self._length and line.size + sum(entry.size for entry in added) <= self._size

    def _surplus(self, room: Room, added: Sequence[Entry]) -> Iterator[Entry]:
        line = self._line(room)
        new = [entry.size for entry in added if room in entry.numbers]
        count, size = line.count + len(new), line.size + sum(new)
        if room.network == OTHER_CHANNELS:
            if count > self._length or size > self._size:
                raise CommandError(FULL)
            return
        for number, entry in islice(line.entries.items(), 1, None):
            if count <= self._length and size <= self._size:
                return
            if number not in line.leaving:
                count, size = count - 1, size - entry.size
                yield entry

    def _shorten(self, entry: Entry, room: Room) -> bool:
        """Take a room off an entry; true if that was the last one."""
        record = self._stored.get(entry.key)
        if record is None:
            return True
        rooms = {name: number for name, number in record["rooms"].items() if name != str(room)}
        if any(number > self._line(Room.parse(name)).done for name, number in rooms.items()):
            self._stored[entry.key] = {**record, "rooms": rooms}
            return False
        del self._stored[entry.key]
        return True

    def _clean(self, most: int) -> Iterator[str]:
        gone = {key for queued in self._handed for key in queued.removed}
        for key in list(islice((key for key in self._arrived if key not in gone), most)):
            self._stored.pop(key, None)
            yield key

    def _count_ahead(self, queued: Queued, sign: int) -> None:
        for entry in queued.added:
            for room in entry.numbers:
                self._line(room).count_ahead(entry, sign)
        for room, entry in queued.given_up:
            self._line(room).count_leaving(entry.numbers[room], entry, sign)

    def _put(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        waits = [self._line(room).put(number, entry) for room, number in entry.numbers.items()]
        if not any(waits):
            self._has_arrived(entry)

    def _leave(self, room: Room, entry: Entry) -> None:
        """An entry is not to be sent to this room any more."""
        self._line(room).remove(entry.numbers[room], entry)
        if not any(number in self._line(each).entries for each, number in entry.numbers.items()):
            self._has_arrived(entry)

    def _has_arrived(self, entry: Entry) -> None:
        if entry.key not in self.aside:
            self._arrived[entry.key] = None

    def _load(self, key: str) -> Collection[Room]:
        """Look at one key; the rooms to which something that was not known is to be sent."""
        record = self._stored.get(key) if key != NUMBERS else None
        known = self._entries.get(key)
        self.aside.pop(key, None)
        if record is None:
            if known is not None:
                for room, number in known.numbers.items():
                    self._line(room).remove(number, known)
                del self._entries[key]
                self._arrived.pop(key, None)
            return ()
        try:
            if "aside" in record:
                to, reason = record["aside"]
                self.aside[key] = (str(to), str(reason))
                self._arrived.pop(key, None)
            numbers = {Room.parse(name): int(number) for name, number in record["rooms"].items()}
            message_id = record.get("body", {}).get("message_id", "")
            entry = Entry(key, float(record["at"]), _size(record), message_id, numbers)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            log.warning("the entry %s of the outbox is not readable and is left out: %s", key, error)
            return ()
        if known is None:
            self._put(entry)
            return numbers
        for room in known.numbers.keys() - numbers.keys():
            self._leave(room, known)
        return ()

    def _sort(self, rooms: Iterable[Room]) -> None:
        for room in rooms:
            self._line(room).sort()


def _size(record: dict[str, Any]) -> int:
    return len(_encode(record))
