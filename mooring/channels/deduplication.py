"""Once only: which events a channel has handled, and what it answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, MutableMapping
from typing import Any, NamedTuple

from mooring.events import Acknowledgement

PRUNED_AT_ONCE = 4
"""More than one, so that a window shrinks to its limit; few, so that no event pays for all."""


class HandledEvent(NamedTuple):
    """What one event added to the window and dropped from it; true once its commit succeeded."""

    key: str
    at: float
    dropped: tuple[str, ...]


class Deduplicator:
    """The window of handled events, in a dict of the channel's storage, so that it commits with what the events changed.

    Events older than `window` seconds are dropped as new ones come, and so are each member's oldest beyond `per_member`. Beyond
    `limit` altogether, those go first of members who have more than their share: so nobody's flood can push out what somebody
    else may send again. What is dropped is looked for among the acting member's own events and the oldest of all.
    """

    def __init__(self, stored: MutableMapping[str, Any], *, window: float, limit: int, per_member: int) -> None:
        self._stored = stored
        self._window = window
        self._limit = limit
        self._per_member = per_member
        self._times: dict[str, float] = {}
        self._of_members: dict[str, dict[str, None]] = {}
        self._handed: dict[str, None] = {}
        """Those whose commits are on their way."""
        for key, kept in sorted(stored.items(), key=lambda pair: float(pair[1][0])):
            self._add(key, kept[0])

    def is_new(self, member_id: str, request_id: str) -> bool:
        """Whether nothing of this event was committed or handed in, as far as `catch_up` has heard. Quicker than to `find` nothing."""
        key = _key(member_id, request_id)
        return key not in self._times and key not in self._handed

    def find(self, member_id: str, request_id: str) -> Acknowledgement | None:
        """What was answered to this event, marked as repeated; None if it is new."""
        kept = self._stored.get(_key(member_id, request_id))
        return None if kept is None else Acknowledgement(request_id, ok=kept[1], message=kept[2], repeated=True)

    def limit(self, window: float, limit: int, per_member: int) -> None:
        """From now on so many are kept; what is too much goes as new ones come."""
        self._window, self._limit, self._per_member = window, limit, per_member

    def keep(self, member_id: str, answer: Acknowledgement, now: float) -> HandledEvent:
        """Write an answer, inside the event's transaction; `accept` what it returns after the commit."""
        key = _key(member_id, answer.request_id)
        self._stored[key] = [now, answer.ok, answer.message]
        dropped = tuple(old for old in self._to_drop(key, now) if old != key)
        for old in dropped:
            self._stored.pop(old, None)
        return HandledEvent(key, now, dropped)

    def catch_up(self, keys: Iterable[str] | None) -> None:
        """Take over what other processes committed under these keys, or, with None, under any. Inside a transaction."""
        for key in list(self._times) if keys is None else keys:
            self._drop(key)
        for key in self._stored if keys is None else keys:
            kept = self._stored.get(key)
            if kept is not None:
                self._add(key, kept[0])

    def hand(self, event: HandledEvent) -> None:
        """Its commit is on its way."""
        self._handed[event.key] = None

    def reset(self) -> None:
        """Nothing of what was handed in and not accepted is kept."""
        self._handed.clear()

    def accept(self, event: HandledEvent) -> None:
        """Take over what a commit has made true."""
        self._handed.pop(event.key, None)
        for old in event.dropped:
            self._drop(old)
        self._drop(event.key)
        self._add(event.key, event.at)

    def _to_drop(self, key: str, now: float) -> list[str]:
        own = self._of_members.get(_member(key), {})
        surplus = len(self._times) + 1 - self._limit
        share = max(1, self._limit // max(1, len(self._of_members)))
        if len(own) >= self._per_member or (surplus > 0 and len(own) >= share):
            return _first(own, max(1, min(PRUNED_AT_ONCE, max(surplus, len(own) + 1 - self._per_member))))
        if surplus <= 0:
            expired = itertools.takewhile(lambda old: now - self._times[old] > self._window, self._times)
            return _first(expired, PRUNED_AT_ONCE)
        oldest = _first(self._times, PRUNED_AT_ONCE)
        of_others = [old for old in oldest if len(self._of_members[_member(old)]) > share]
        return (of_others or oldest)[: max(1, min(surplus, PRUNED_AT_ONCE))]

    def _add(self, key: str, at: float) -> None:
        self._times[key] = at
        self._of_members.setdefault(_member(key), {})[key] = None

    def _drop(self, key: str) -> None:
        if self._times.pop(key, None) is not None:
            own = self._of_members[_member(key)]
            del own[key]
            if not own:
                del self._of_members[_member(key)]


def _first(keys: Iterable[str], count: int) -> list[str]:
    return list(itertools.islice(keys, count))


def _member(key: str) -> str:
    return key.partition(":")[0]


def _key(member_id: str, request_id: str) -> str:
    # Escaped, so that "a:b" with "c" and "a" with "b:c" stay two events.
    return f"{member_id.replace('%', '%25').replace(':', '%3A')}:{request_id}"
