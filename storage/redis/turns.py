"""Taking turns where several processes commit to one channel all the time.

Nobody takes turns as long as nobody comes too late. Who did asks the server for a turn before the next transaction begins, and
has the channel for himself then, for a short time that each of his commits prolongs a little; who asks meanwhile is put in a
queue. So what is spent on transactions in vain does not grow with the processes, and each has its share.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHORTEST = 0.03
"""Seconds of a turn. Handing it over costs less than a hundredth of that; members who wait for theirs do not notice it."""

_LONGEST = 10.0
IDLE = 0.01
"""Seconds after a commit at which a turn is over if no other commit has come."""

_MARGIN = 0.002
"""Seconds for the way to the server: what begins later than this before the end would be refused."""

_LONGEST_PAUSE = 0.02
_MOST_WAITED = 5.0
"""Seconds; then the transaction begins without a turn."""

_SLACK = 4
"""How many times longer than the last try a turn is, so that slow handlers come to their end among fast ones."""


class Turns:
    """The turns of one process in one channel. Its caller has locks for it; reading `waits` needs none."""

    def __init__(self, ask: Callable[[int], tuple[bool, float, int]]) -> None:
        """`ask` asks the server for a turn of so many milliseconds: whether it is ours, how many seconds it lasts or to wait, and who waits."""
        self._ask = ask
        self._is_needed = False
        self._until = 0.0
        """When our turn is over, by the clock of this process; 0 if we have none."""
        self._end = 0.0
        self._length = SHORTEST
        self._alone = 0

    @property
    def waits(self) -> bool:
        """Whether a turn has to be asked for before something begins."""
        return self._is_needed and time.monotonic() > self._until

    def take(self) -> None:
        """Wait for a turn, if one is needed and not ours already. Raises StorageError."""
        given_up = time.monotonic() + _MOST_WAITED
        while self.waits:
            asked = time.monotonic()
            is_ours, seconds, others = self._ask(int(self._length * 1000))
            if is_ours:
                self._begin(asked + seconds - _MARGIN, others)
                return
            if asked > given_up:
                return
            time.sleep(min(max(seconds, 0.001), _LONGEST_PAUSE))

    def came_too_late(self, took: float | None) -> None:
        """A commit was refused. `took` is how long it had taken from the begin of its transaction, if that was the first of a row."""
        self._is_needed = True
        if took is not None:
            self._length = min(max(SHORTEST, _SLACK * took), _LONGEST)

    def over(self) -> None:
        """Another process has the turn."""
        self._until = 0.0

    def committed(self) -> None:
        """A commit was made, which prolongs the turn."""
        if self._until:
            self._until = min(self._end, time.monotonic() + IDLE - _MARGIN)

    def _begin(self, end: float, others: int) -> None:
        self._until = self._end = end
        self._alone = 0 if others else self._alone + 1
        if self._alone > 1:  # nobody else wants one any more
            self._is_needed, self._until, self._alone, self._length = False, 0.0, 0, SHORTEST
