"""What comes due next in all channels of a service, so that no look has to go through everything that is scheduled."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from mooring.bots.schedule import ScheduledCall

_LOOKED_THROUGH_AFTER = 10_000
"""So many new calls, and those that were dropped meanwhile are thrown away, which takes the time of a few hundred."""


@dataclass(order=True)
class Entry:
    """One call of one channel."""

    due: float
    channel_id: str = field(compare=False)
    call: ScheduledCall = field(compare=False)


class Agenda:
    """In memory only; a dict in each channel's storage keeps what is scheduled.

    A call is due when the clock says so, or, if it was meant as a span of time, when so much time has gone by: the clock may have
    been set back meanwhile. `now` does not jump.
    """

    def __init__(self, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._entries: dict[str, dict[str, Entry]] = {}
        self._by_clock: list[Entry] = []
        self._by_span: list[tuple[float, Entry]] = []
        self._puts = 0

    def put(self, channel_id: str, call: ScheduledCall) -> None:
        """Take in a call that is new, or has another time than before."""
        self._puts += 1
        if self._puts > _LOOKED_THROUGH_AFTER:
            self._compact()
        entry = self._entries.setdefault(channel_id, {})[call.key] = Entry(call.due, channel_id, call)
        heapq.heappush(self._by_clock, entry)
        if call.is_span:
            heapq.heappush(self._by_span, (self._now() + call.wait(self._clock()), entry))

    def drop(self, channel_id: str, key: str) -> None:
        """A call is not to happen any more."""
        self._entries.get(channel_id, {}).pop(key, None)

    def drop_channel(self, channel_id: str) -> None:
        """The same for all calls of a channel."""
        self._entries.pop(channel_id, None)

    def take_due(self, most: int) -> list[Entry]:
        """Up to so many that are due, taken out, the longest overdue first."""
        found: list[Entry] = []
        while len(found) < most and self._skip() and self._by_clock[0].due <= self._clock():
            found.append(self._take(heapq.heappop(self._by_clock)))
        while len(found) < most and self._skip() and self._by_span and self._by_span[0][0] <= self._now():
            found.append(self._take(heapq.heappop(self._by_span)[1]))
        return found

    def next_due(self) -> float | None:
        """When a call comes due next, by the clock."""
        return self._by_clock[0].due if self._skip() else None

    def wait(self) -> float | None:
        """Seconds until then, or until a span is over; None if nothing is to come."""
        if not self._skip():
            return None
        waits = [self._by_clock[0].due - self._clock()]
        if self._by_span:
            waits.append(self._by_span[0][0] - self._now())
        return max(0.0, min(waits))

    def _take(self, entry: Entry) -> Entry:
        self.drop(entry.channel_id, entry.call.key)
        return entry

    def _skip(self) -> bool:
        """Throw away what is not so any more; false if nothing is left."""
        while self._by_clock and not self._is_true(self._by_clock[0]):
            heapq.heappop(self._by_clock)
        while self._by_span and not self._is_true(self._by_span[0][1]):
            heapq.heappop(self._by_span)
        return bool(self._by_clock)

    def _compact(self) -> None:
        self._puts = 0
        self._by_clock = [entry for entry in self._by_clock if self._is_true(entry)]
        self._by_span = [pair for pair in self._by_span if self._is_true(pair[1])]
        heapq.heapify(self._by_clock)
        heapq.heapify(self._by_span)

    def _is_true(self, entry: Entry) -> bool:
        return self._entries.get(entry.channel_id, {}).get(entry.call.key) is entry
