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


class InHand(Protocol):
    """What can be in hand: something that happens at a time, on behalf of somebody."""

    @property
    def clock(self) -> Clock:
        """Seconds since 1970."""

    @property
    def owner(self) -> str:
        """The plugin whose code runs, empty if it is nobody's in particular."""

    def started(self, job: object) -> None:
        """A thread was started for this."""


in_hand: ContextVar[InHand | None] = ContextVar("mooring_in_hand", default=None)
"""What is in hand in this task, and in threads that it starts with `asyncio.to_thread`."""


def now() -> float:
    """Seconds since 1970 by the clock of the event in hand, or by the system's clock outside of one."""
    hand = in_hand.get()
    return time.time() if hand is None else hand.clock()


class use_clock:  # noqa: N801 - a context manager is called like a function
    """Let `now` ask `clock` in this task and its threads, where no event is in hand. `owner` is the plugin whose code runs."""

    __slots__ = ("_token", "clock", "owner")

    def __init__(self, clock: Clock, owner: str = "") -> None:
        self.clock = clock
        self.owner = owner

    def started(self, job: object) -> None:
        """Nobody counts these."""

    def __enter__(self) -> None:
        self._token: Token[InHand | None] = in_hand.set(self)

    def __exit__(self, *_: object) -> None:
        in_hand.reset(self._token)
