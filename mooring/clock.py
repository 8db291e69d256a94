"""The time at which an event happens.

Values that change with time (bars) have to know it wherever a handler touches them, so it is in the context of the task and
its threads instead of an argument of each call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token

Clock = Callable[[], float]

_clock: ContextVar[Clock] = ContextVar("mooring_clock", default=time.time)


def now() -> float:
    """Seconds since 1970 by the clock of the event in hand, or by the system's clock outside of one."""
    return _clock.get()()


class use_clock:  # noqa: N801 - a context manager is called like a function; made by contextlib it would cost several times as much, in every event
    """Let `now` ask `clock` in this task, and in threads that it starts with `asyncio.to_thread`."""

    __slots__ = ("_clock", "_token")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        self._token: Token[Clock] = _clock.set(self._clock)

    def __exit__(self, *_: object) -> None:
        _clock.reset(self._token)
