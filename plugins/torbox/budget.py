"""How many requests may go out: TorBox allows an account 300 a minute, and all commands share them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable


class RequestBudget:
    """At most `limit` requests in any `period` seconds; whoever comes later waits for a place."""

    def __init__(
        self,
        limit: int = 300,
        period: float = 60.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limit = limit
        self._period = period
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[float] = deque()
        self._closed_until = 0.0

    async def take(self) -> None:
        """Return when one more request may go out, which then counts."""
        while (wait := self._wait()) > 0:
            await self._sleep(wait)
        self._taken.append(self._clock())

    def close_for(self, seconds: float) -> None:
        """Let nothing out for a while: TorBox said that it has had enough."""
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _wait(self) -> float:
        now = self._clock()
        while self._taken and self._taken[0] <= now - self._period:
            self._taken.popleft()
        wait = self._closed_until - now
        if len(self._taken) >= self._limit:
            wait = max(wait, self._taken[0] + self._period - now)
        return wait
