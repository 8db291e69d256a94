"""How fast somebody may go on, with some allowance for bursts."""

from __future__ import annotations


class TokenBucket:
    """Lets `burst` through at once and `rate` a second in the long run. Times are seconds of any clock that never goes back."""

    __slots__ = ("_burst", "_left", "_rate", "_when")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._when = now

    def take(self, now: float) -> bool:
        """Whether one more may pass now."""
        self._refill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def spend(self, amount: float, now: float) -> float:
        """Let pass what has come already, be it too much or not; returns for how many seconds nothing more may come."""
        self._refill(now)
        self._left -= amount
        return self.wait(now)

    def wait(self, now: float) -> float:
        """Seconds until one more may pass."""
        self._refill(now)
        return max(0.0, min(1.0, self._burst) - self._left) / self._rate

    def _refill(self, now: float) -> None:
        self._left = min(self._burst, self._left + (now - self._when) * self._rate)
        self._when = now
