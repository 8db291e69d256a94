"""Who is next where many wait: the first who came, and once that would take long, each in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")

FEW = 32
"""As long as no more wait, they come out in the order in which they came."""


class TurnTaking(Generic[T]):
    """A queue that several parties share.

    What one party put in always comes out in that order. When more than a few wait, the parties take turns: by arrival alone, one that always
    has hundreds waiting would keep everybody else waiting for hundreds. When few wait, the order of arrival costs nobody anything, and
    is what people expect who talk with each other.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[int, T]]] = {}
        """The parties in the order of their turns."""
        self._arrivals = count()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return (thing for waiting in self._waiting.values() for _, thing in waiting)

    def count(self, party: str) -> int:
        """How much of one party waits."""
        return len(self._waiting.get(party, ()))

    def largest(self, besides: str) -> str:
        """Who has most waiting, one party aside; an empty text if nobody else has any."""
        return max((party for party in self._waiting if party != besides), key=self.count, default="")

    def put(self, party: str, thing: T) -> None:
        """Add to what a party has waiting."""
        self._waiting.setdefault(party, deque()).append((next(self._arrivals), thing))
        self._count += 1

    def pop(self) -> T:
        """Take out what is next. Raises IndexError if nothing waits."""
        if not self._count:
            raise IndexError("nothing waits")
        party = next(iter(self._waiting)) if self._count > FEW else min(self._waiting, key=lambda each: self._waiting[each][0][0])
        waiting = self._waiting.pop(party)
        _, thing = waiting.popleft()
        if waiting:
            self._waiting[party] = waiting  # behind all others
        self._count -= 1
        return thing

    def pop_last(self, party: str) -> T:
        """Take out what a party put in last. Raises KeyError if nothing of it waits."""
        waiting = self._waiting[party]
        _, thing = waiting.pop()
        if not waiting:
            del self._waiting[party]
        self._count -= 1
        return thing
