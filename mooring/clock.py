"""The event in hand, and the time at which it happens.

Values that change with time (bars) have to know it wherever a handler touches them, so it is in the context of the task and
its threads instead of an argument of each call. There is one context variable for that; the turn puts itself there as a whole
(`mooring.channels.turn`), and whatever else works by a clock of its own puts only that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Protocol

Clock = Callable[[], float]


class HasClock(Protocol):
    """What can be in hand: something that happens at a time."""

    @property
    def clock(self) -> Clock:
        """Seconds since 1970."""


in_hand: ContextVar[HasClock | None] = ContextVar("mooring_in_hand", default=None)
"""What is in hand in this task, and in threads that it starts with `asyncio.to_thread`."""


def now() -> float:
    """Seconds since 1970 by the clock of the event in hand, or by the system's clock outside of one."""
    hand = in_hand.get()
    return time.time() if hand is None else hand.clock()


class use_clock:  # noqa: N801 - a context manager is called like a function
    """Let `now` ask `clock` in this task and its threads, where no event is in hand."""

    __slots__ = ("_token", "clock")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def __enter__(self) -> None:
        self._token: Token[HasClock | None] = in_hand.set(self)

    def __exit__(self, *_: object) -> None:
        in_hand.reset(self._token)
