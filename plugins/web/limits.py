"""Counting what members use."""

from __future__ import annotations

from collections import Counter


class TokenBucket:
    """Lets `burst` through at once and `rate` a second in the long run."""

    __slots__ = ("_burst", "_left", "_rate", "_when")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._when = now

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._left = min(self._burst, self._left + (now - self._when) * self._rate)
        self._when = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class ConnectionCount:
    """How many connections there are, in all and by address."""

    def __init__(self, in_all: int, by_address: int) -> None:
        self._in_all = in_all
        self._by_address = by_address
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    def refusal(self, address: str) -> str:
        """Why one more from this address would be too many; empty if it would not."""
        if self._counts.total() >= self._in_all:
            return "This service has as many connections as it can take. Try again later."
        if self._counts[address] >= self._by_address:
            return "There are too many connections from your address. Close some, or try again later."
        return ""

    def enter(self, address: str) -> None:
        """Count one."""
        self._counts[address] += 1

    def leave(self, address: str) -> None:
        """Count one less, and keep no word of an address without connections."""
        self._counts[address] -= 1
        if self._counts[address] <= 0:
            del self._counts[address]
