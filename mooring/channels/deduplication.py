"""Once only: which events a channel has handled, and what it answered."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from mooring.events import Acknowledgement

PRUNED_AT_ONCE = 4
"""More than one, so that the window shrinks to its limit; few, so that no event pays for all."""


@dataclass(frozen=True)
class Kept:
    """What one event added to the window and dropped from it; true once its commit succeeded."""

    key: str
    at: float
    dropped: tuple[str, ...]


class Deduplicator:
    """The window of handled events, in a dict of the channel's storage, so that it commits with what the events changed.

    Events older than `window` seconds, and the oldest beyond `limit`, are dropped as new ones come.
    """

    def __init__(self, stored: MutableMapping[str, Any], *, window: float, limit: int) -> None:
        self._stored = stored
        self._window = window
        self._limit = limit
        self._times: dict[str, float] = dict(sorted(((key, kept[0]) for key, kept in stored.items()), key=lambda pair: pair[1]))

    def find(self, member_id: str, request_id: str) -> Acknowledgement | None:
        """What was answered to this event, marked as repeated; None if it is new."""
        kept = self._stored.get(_key(member_id, request_id))
        return None if kept is None else Acknowledgement(request_id, ok=kept[1], message=kept[2], repeated=True)

    def keep(self, member_id: str, answer: Acknowledgement, now: float) -> Kept:
        """Write an answer, inside the event's transaction; `accept` what it returns after the commit."""
        key = _key(member_id, answer.request_id)
        self._stored[key] = [now, answer.ok, answer.message]
        surplus = len(self._times) + 1 - self._limit
        dropped = []
        for index, (old, at) in enumerate(itertools.islice(self._times.items(), PRUNED_AT_ONCE)):
            if index >= surplus and now - at <= self._window:
                break  # those after it are younger
            if old != key:
                self._stored.pop(old, None)
                dropped.append(old)
        return Kept(key, now, tuple(dropped))

    def catch_up(self, keys: Iterable[str] | None) -> None:
        """Take over what other processes committed under these keys, or, with None, under any. Inside a transaction."""
        for key in list(self._times) if keys is None else keys:
            self._times.pop(key, None)
        for key in self._stored if keys is None else keys:
            kept = self._stored.get(key)
            if kept is not None:
                self._times[key] = kept[0]

    def accept(self, kept: Kept) -> None:
        """Take over what a commit has made true."""
        for old in kept.dropped:
            self._times.pop(old, None)
        self._times[kept.key] = kept.at


def _key(member_id: str, request_id: str) -> str:
    # Escaped, so that "a:b" with "c" and "a" with "b:c" stay two events.
    return f"{member_id.replace('%', '%25').replace(':', '%3A')}:{request_id}"
