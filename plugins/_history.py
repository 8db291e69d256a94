"""The numbered messages of a channel: given their numbers and kept with the commit, found again for those who missed them."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from plugins._events import Down, MessageBody

LAST = "last"
"""The key of the newest number. All other keys are numbers in digits."""


class History:
    """The last `keep` messages of one channel, in a dict of its storage and, as the commits left them, in memory."""

    def __init__(self, stored: MutableMapping[str, Any], *, keep: int) -> None:
        self._stored = stored
        self._keep = keep
        numbers = sorted(int(key) for key in stored if key != LAST)
        self._kept = deque((_from_record(number, stored[str(number)]) for number in numbers), maxlen=keep)
        # The counter may be lost to damage while messages are not; a number is never given twice.
        self.last: int = max(stored.get(LAST, 0), numbers[-1] if numbers else 0)

    def number(self, downs: Sequence[Down]) -> list[Down]:
        """Number the messages among `downs` and write them, inside the event's transaction; `accept` them after the commit."""
        last = self.last
        numbered = []
        for down in downs:
            if down.type == "message_down":
                last += 1
                down = replace(down, number=last)
                self._stored[str(last)] = _to_record(down)
                self._stored.pop(str(last - self._keep), None)
            numbered.append(down)
        if last != self.last:
            self._stored[LAST] = last
        return numbered

    def accept(self, downs: Sequence[Down]) -> None:
        """Take over what a commit has made true."""
        for down in downs:
            if down.number:
                self._kept.append(down)
                self.last = down.number

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


def _to_record(down: Down) -> dict[str, Any]:
    body = {name: value for name, value in msgspec.to_builtins(down.body).items() if value is not None}
    body["content"] = {name: value for name, value in body["content"].items() if value is not None}
    return {"to": None if down.recipients is None else sorted(down.recipients), "body": body}


def _from_record(number: int, record: dict[str, Any]) -> Down:
    body = msgspec.convert(record["body"], MessageBody)
    recipients = None if record["to"] is None else frozenset(record["to"])
    return Down("message_down", body.channel_id, body, recipients, number)
