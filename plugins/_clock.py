"""The time at which an event happens.

Values that change with time (bars) have to know it wherever a handler touches them, so it is in the context of the task and
its threads instead of an argument of each call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Clock = Callable[[], float]

_clock: ContextVar[Clock] = ContextVar("mooring_clock", default=time.time)


def now() -> float:
    """Seconds since 1970 by the clock of the event in hand, or by the system's clock outside of one."""
    return _clock.get()()


@contextmanager
def use_clock(clock: Clock) -> Iterator[None]:
    """Let `now` ask `clock` in this task, and in threads that it starts with `asyncio.to_thread`."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)
