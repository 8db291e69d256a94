"""The numbered messages of a channel: given their numbers and kept with the commit, found again for those who missed them.

A message that goes down with the id of an earlier one is an edit of it. It takes a number, as everything that is to be missed by
nobody, and its content takes the place of the earlier one's: in the record of that, which keeps its own number and place.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple

import msgspec

from mooring.channels.records import body_of, cause_of, message_record, recipients_of
from mooring.events import Down, copy_with
from mooring.kinds import MESSAGE_DOWN

log = logging.getLogger(__name__)

LAST = "last"
"""The key of the newest number. All other keys are numbers of messages in digits."""

_DROPPED_FOR_ONE = 4
"""How many old messages at most give way to a new one: more than one, so that a memory made shorter shrinks; few, so that no event pays for all."""


_DROPPED_FOR_BYTES = 64
"""The same where it is bytes that are too many: large messages come after many small ones."""
_BESIDES = 200
"""Bytes of a message's record besides its content and context."""


class _Kept(NamedTuple):
    """One message: its newest content under its own number, and the number of its newest edit, 0 if there was none."""

    down: Down
    edited: int


class Numbered(NamedTuple):
    """The downs of one event with their numbers, and what they do to the history; true once its commit succeeded."""

    downs: Sequence[Down]
    changed: dict[int, _Kept]
    dropped: Sequence[int]
    last: int


class History:
    """The last `keep` messages of one channel, in a dict of its storage and, as the commits left them, in memory.

    While commits are on their way, the next messages are numbered after those that were handed in; what is found is what is kept.
    """

    def __init__(self, stored: MutableMapping[str, Any], *, keep: int, keep_bytes: int = 1 << 62) -> None:
        self._stored = stored
        self._keep = keep
        self._keep_bytes = keep_bytes
        numbers = sorted(int(key) for key in stored if key.isdecimal())
        readable = ((number, _from_record(number, stored[str(number)])) for number in numbers)
        self._kept = {number: kept for number, kept in readable if kept is not None}
        self._unreadable = [number for number in numbers if number not in self._kept]
        # The counter may be lost to damage while messages are not; a number is never given twice.
        self.last: int = max(stored.get(LAST, 0), *numbers, *(kept.edited for kept in self._kept.values()), 0)
        self._handed: dict[int, str] = {}
        self._sizes: dict[int, int] = {}
        self._bytes = 0
        """Those of all that are handed in."""
        self._places: dict[str, int] = {}
        self._handed_last = self.last
        self.reset()

    def limit(self, keep: int, keep_bytes: int) -> None:
        """From now on so many are kept; what is too much goes as new ones come."""
        self._keep, self._keep_bytes = keep, keep_bytes

    def number(self, downs: Sequence[Down]) -> Numbered:
        """Number the messages among `downs` and write them, inside the event's transaction.

        `hand` the result on when the transaction was handed in, and `accept` it when it is kept.
        """
        last = self._handed_last
        numbered: list[Down] = []
        changed: dict[int, _Kept] = {}
        new: dict[str, int] = {}
        for down in downs:
            if down.type == MESSAGE_DOWN:
                last += 1
                down = copy_with(down, number=last)
                message_id = down.body.message_id or ""
                place = new.get(message_id) or self._places.get(message_id)
                if place is None:
                    new[message_id] = last
                    changed[last] = _Kept(down, 0)
                else:
                    changed[place] = _Kept(copy_with(down, number=place), last)
            numbered.append(down)
        dropped: list[int] = []
        if changed:
            for number, kept in changed.items():
                self._stored[str(number)] = _to_record(kept)
            self._stored[LAST] = last
            dropped = self._surplus(len(new))
            for number in dropped:
                _remove(self._stored, str(number))
        return Numbered(numbered, changed, dropped, last)

    def sent(self, message_id: str) -> Down | None:
        """A message as the turn in hand finds it, edits included; None if there is none, or none any more. Inside a transaction."""
        number = self._places.get(message_id)
        record = None if number is None else self._stored.get(str(number))
        kept = None if number is None or record is None else _from_record(number, record)
        return None if kept is None else kept.down

    def newest_of(self, sender: str) -> Iterator[Down]:
        """The messages of a member as the turn in hand finds them, the newest first. Inside a transaction."""
        for number, message_id in reversed(self._handed.items()):
            kept = self._kept.get(number)
            if (kept is None or kept.down.body.sender == sender) and (found := self.sent(message_id)) is not None and found.body.sender == sender:
                yield found

    def numbered(self, number: int) -> Down | None:
        """The message of this number as the turn in hand finds it; None if there is none, or none any more. Inside a transaction."""
        message_id = self._handed.get(number)
        return None if message_id is None else self.sent(message_id)

    def hand(self, numbered: Numbered) -> None:
        """Go on from these messages, whose commit is on its way."""
        for number, kept in numbered.changed.items():
            self._handed[number] = kept.down.body.message_id or ""
            self._places[self._handed[number]] = number
            size = _size(kept.down)
            self._bytes += size - self._sizes.get(number, 0)
            self._sizes[number] = size
        for number in numbered.dropped:
            self._bytes -= self._sizes.pop(number, 0)
            message_id = self._handed.pop(number, None)
            if message_id is not None and self._places.get(message_id) == number:
                del self._places[message_id]
        self._handed_last = numbered.last

    def accept(self, numbered: Numbered) -> None:
        """Take over what a commit has made true."""
        self._kept.update(numbered.changed)
        for number in numbered.dropped:
            if self._kept.pop(number, None) is None and number in self._unreadable:
                self._unreadable.remove(number)
        self.last = numbered.last

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed = {number: kept.down.body.message_id or "" for number, kept in self._kept.items()}
        # As they were noted, since this is done for each commit of others: an edit that was not kept may leave its size behind.
        self._sizes = {number: self._sizes.get(number) or _size(kept.down) for number, kept in self._kept.items()}
        self._bytes = sum(self._sizes.values())
        self._places = {message_id: number for number, message_id in self._handed.items()}
        self._handed_last = self.last

    def catch_up(self, keys: Iterable[str] | None) -> list[Down]:
        """Take over what other processes committed under these keys (None: under any), and return the messages that are new.

        Inside a transaction, as it reads the dict.
        """
        changed = sorted(int(key) for key in (self._stored if keys is None else keys) if key.isdecimal())
        before = self.last
        for number in changed:
            record = self._stored.get(str(number))
            kept = None if record is None else _from_record(number, record)
            self._sizes.pop(number, None)
            if kept is None:
                self._kept.pop(number, None)
            else:
                self._kept[number] = kept
        self._kept = dict(sorted(self._kept.items()))
        # Never back: after a loss of data in the server, what members have seen keeps its number.
        self.last = max(self.last, self._stored.get(LAST, 0), *(max(number, kept.edited) for number, kept in self._kept.items()), 0)
        self.reset()
        return self._since(before)

    @property
    def length(self) -> int:
        """How many messages are kept."""
        return self._keep

    @property
    def first(self) -> int:
        """The number of the oldest kept message, 0 if there is none."""
        return next(iter(self._kept), 0)

    def find(
        self, member_id: str, *, after: int = 0, before: int | None = None, limit: int = 50, ignored: Collection[str] = frozenset()
    ) -> list[Down]:
        """What this member may see, oldest first: all that is new after the number `after`, else the last `limit` before `before`.

        With `after`, what was edited since comes under the number of its newest edit. Nothing comes from senders who are `ignored`.
        """
        found = self._since(after) if after else [kept.down for kept in self._kept.values()]
        visible = [
            down
            for down in found
            if (before is None or down.number < before)
            and (down.recipients is None or member_id in down.recipients)
            and down.body.sender not in ignored
        ]
        return visible if after else visible[len(visible) - min(limit, len(visible)) :]

    def newest_like(self, member_id: str, text: str | None) -> Down | None:
        """The newest message with this text that the member may see: for clients of the SDK, which may name no id."""
        found = (kept.down for kept in reversed(self._kept.values()) if kept.down.body.content.text == text)
        return next((down for down in found if down.recipients is None or member_id in down.recipients), None)

    def messages(self) -> list[Down]:
        """All that are kept, oldest first, whoever they are for."""
        return [kept.down for kept in self._kept.values()]

    def _since(self, after: int) -> list[Down]:
        new = [
            kept.down if number > after else copy_with(kept.down, number=kept.edited)
            for number, kept in self._kept.items()
            if number > after or kept.edited > after
        ]
        return sorted(new, key=lambda down: down.number)

    def _surplus(self, added: int) -> list[int]:
        surplus = min(len(self._unreadable) + len(self._handed) + added - self._keep, _DROPPED_FOR_ONE * added)
        dropped = list(itertools.islice(itertools.chain(self._unreadable, self._handed), surplus)) if surplus > 0 else []
        return dropped if self._bytes <= self._keep_bytes else self._too_large(dropped, added)

    def _too_large(self, dropped: list[int], added: int) -> list[int]:
        """More of the oldest messages, so that what is there takes no more bytes than it may. What is new counts when the next one comes."""
        left = self._bytes - sum(self._sizes.get(number, 0) for number in dropped)
        for number in itertools.islice(self._handed, _DROPPED_FOR_BYTES * added):
            if left <= self._keep_bytes:
                break
            if number not in dropped:
                dropped.append(number)
                left -= self._sizes[number]
        return dropped


def _size(down: Down) -> int:
    """About as many bytes as its record takes."""
    body = down.body
    return _BESIDES + len(msgspec.json.encode((vars(body.content), body.context)))


def _remove(stored: MutableMapping[str, Any], key: str) -> None:
    # `pop` would read the value first, and build it from its text.
    if key in stored:
        del stored[key]


def _to_record(kept: _Kept) -> dict[str, Any]:
    record = message_record(kept.down)
    if kept.edited:
        record["edited"] = kept.edited
    return record


def _from_record(number: int, record: Any) -> _Kept | None:
    try:
        body, recipients, cause = body_of(record), recipients_of(record), cause_of(record)
        edited = int(record.get("edited", 0))
    except (TypeError, KeyError, ValueError, AttributeError, msgspec.ValidationError) as error:
        log.warning("message %d of the history is not readable and is left out: %s", number, error)
        return None
    return _Kept(Down(MESSAGE_DOWN, body.channel_id, body, recipients, number, cause=cause), edited)
