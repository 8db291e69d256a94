"""The numbered messages of a channel: given their numbers and kept with the commit, found again for those who missed them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import msgspec

from mooring.events import Cause, Down, MessageBody, MessageContent, copy_with
from mooring.kinds import MESSAGE_DOWN

log = logging.getLogger(__name__)

LAST = "last"
"""The key of the newest number. All other keys are numbers in digits."""


class History:
    """The last `keep` messages of one channel, in a dict of its storage and, as the commits left them, in memory.

    While commits are on their way, the next messages are numbered after those that were handed in; what is found is what is kept.
    """

    def __init__(self, stored: MutableMapping[str, Any], *, keep: int) -> None:
        self._stored = stored
        self._keep = keep
        numbers = sorted(int(key) for key in stored if key.isdecimal())
        readable = (_from_record(number, stored[str(number)]) for number in numbers)
        self._kept = deque((down for down in readable if down is not None), maxlen=keep)
        self._oldest = numbers[0] if numbers else 1
        # The counter may be lost to damage while messages are not; a number is never given twice.
        self.last: int = max(stored.get(LAST, 0), numbers[-1] if numbers else 0)
        self._handed_oldest, self._handed_last = self._oldest, self.last

    def number(self, downs: Sequence[Down]) -> list[Down]:
        """Number the messages among `downs` and write them, inside the event's transaction.

        `hand` them when the transaction was handed in, and `accept` them when it is kept.
        """
        last = self._handed_last
        numbered = []
        for down in downs:
            if down.type == MESSAGE_DOWN:
                last += 1
                down = copy_with(down, number=last)
                self._stored[str(last)] = _to_record(down)
            numbered.append(down)
        if last != self._handed_last:
            self._stored[LAST] = last
            for number in range(self._handed_oldest, self._first_after(self._handed_oldest, self._handed_last, last)):
                self._stored.pop(str(number), None)
        return numbered

    def hand(self, downs: Sequence[Down]) -> None:
        """Go on from these messages, whose commit is on its way."""
        last = _last_of(downs)
        if last:
            self._handed_oldest, self._handed_last = self._first_after(self._handed_oldest, self._handed_last, last), last

    def accept(self, downs: Sequence[Down]) -> None:
        """Take over what a commit has made true."""
        last = _last_of(downs)
        if last:
            self._kept.extend(down for down in downs if down.number)
            self._oldest, self.last = self._first_after(self._oldest, self.last, last), last
            if last > self._handed_last:
                self.reset()

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed_oldest, self._handed_last = self._oldest, self.last

    def catch_up(self, keys: Iterable[str] | None) -> list[Down]:
        """Take over what other processes committed under these keys (None: under any), and return the messages that are new.

        Inside a transaction, as it reads the dict.
        """
        changed = [int(key) for key in (self._stored if keys is None else keys) if key.isdecimal()]
        records = ((number, self._stored.get(str(number))) for number in sorted(changed) if number > self.last)
        found = [_from_record(number, record) for number, record in records if record is not None]
        downs = [down for down in found if down is not None]
        gone = [number for number in changed if number <= self.last and str(number) not in self._stored]
        self._kept.extend(downs)
        self._oldest = max(self._oldest, max(gone, default=0) + 1)
        # Never back: after a loss of data in the server, what members have seen keeps its number.
        self.last = max([self.last, self._stored.get(LAST, 0), *(down.number for down in downs)])
        self.reset()
        return downs

    def _first_after(self, oldest: int, before: int, last: int) -> int:
        """The oldest number that stays when `last` follows on `before`.

        It rises by a few more than come in, so that a memory made shorter shrinks, and not at once, so that no event pays for all.
        """
        return max(oldest, min(last - self._keep + 1, oldest + 2 * (last - before) + 2))

    @property
    def first(self) -> int:
        """The number of the oldest kept message, 0 if there is none."""
        return self._kept[0].number if self._kept else 0

    def find(self, member_id: str, *, after: int = 0, before: int | None = None, limit: int = 50) -> list[Down]:
        """What this member may see, oldest first: all after the number `after`, else the last `limit` before `before`."""
        visible = [
            down
            for down in self._kept
            if down.number > after and (before is None or down.number < before) and (down.recipients is None or member_id in down.recipients)
        ]
        return visible if after else visible[len(visible) - min(limit, len(visible)) :]


def _last_of(downs: Sequence[Down]) -> int:
    return max((down.number for down in downs), default=0)


def _to_record(down: Down) -> dict[str, Any]:
    """What is kept of a message: the fields that are set, by name. The body itself goes on to the members and stays as it is."""
    body = _set_fields(down.body)
    body["content"] = _set_fields(down.body.content)
    if "context" in body:
        # A bot may put anything in there. What JSON cannot carry raises here, before the commit.
        body["context"] = msgspec.to_builtins(body["context"])
    record = {"to": None if down.recipients is None else sorted(down.recipients), "body": body}
    if down.cause is not None:
        record["by"] = [down.cause.request_id, down.cause.member_id, down.cause.reference]
    return record


def _set_fields(item: MessageBody | MessageContent) -> dict[str, Any]:
    return {name: value for name, value in vars(item).items() if value is not None}


def _from_record(number: int, record: Any) -> Down | None:
    try:
        body = msgspec.convert(record["body"], MessageBody)
        recipients = None if record["to"] is None else frozenset(record["to"])
        cause = Cause(*record["by"]) if "by" in record else None
    except (TypeError, KeyError, msgspec.ValidationError) as error:
        log.warning("message %d of the history is not readable and is left out: %s", number, error)
        return None
    return Down(MESSAGE_DOWN, body.channel_id, body, recipients, number, cause)
