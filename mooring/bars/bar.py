"""Bars: amounts that never leave 0..maximum and grow back by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from mooring.clock import now
from storage.encoding import codec

_POINT = 60_000_000
"""One point in the unit of the carry: thousandths of a point per minute, times milliseconds."""


@dataclass(frozen=True)
class Change:
    """What one call did to a bar."""

    before: int
    after: int
    maximum: int

    @property
    def amount(self) -> int:
        """How many points the bar really gained or, below zero, lost."""
        return self.after - self.before

    @property
    def emptied(self) -> bool:
        """True if this very change took the last point."""
        return self.after == 0 < self.before

    @property
    def filled(self) -> bool:
        """True if this very change gave the last point."""
        return self.before < self.after == self.maximum

    def passed(self, percent: int) -> bool:
        """True if this change led from one side of a milestone to the other, like below half: `passed(50)`."""
        line = self.maximum * percent
        return (self.before * 100 >= line) != (self.after * 100 >= line)


@codec.register(name="Bar")
@dataclass(init=False)
class Bar:
    """An amount between 0 and `maximum` that regains `regain_per_minute` points as time goes by, without any timer.

    What is read is what the bar holds at that moment; reading changes nothing, so it writes nothing. A clock that is set
    back neither takes points away nor gives them twice: the time in between counts as none.
    """

    level: int
    """The points at the time `as_of`; read `value` for those of now."""
    maximum: int
    regain_per_minute: int | float
    as_of: int
    """Milliseconds since 1970; 0 in a bar that regains nothing."""
    carry: int
    """What was regained of the next point, so that many small steps add up to the same as one large one."""

    def __init__(self, value: int, maximum: int, regain_per_minute: float = 0) -> None:
        """`regain_per_minute` is kept to three decimals."""
        if regain_per_minute < 0 or round(regain_per_minute, 3) != regain_per_minute:
            raise ValueError(f"regain_per_minute is {regain_per_minute}; it must be at least 0, with at most three decimals")
        self.level = 0
        self.maximum = _amount(maximum)
        self.regain_per_minute = regain_per_minute
        self.as_of = 0
        self.carry = 0
        self.value = value

    @property
    def value(self) -> int:
        """The points now. What is assigned is brought into 0..maximum."""
        return self._at(_milliseconds())[0]

    @value.setter
    def value(self, points: int) -> None:
        self._set(max(0, min(_whole(points), self.maximum)), keep_carry=False)

    @property
    def full(self) -> bool:
        """Whether it holds its maximum."""
        return self.value == self.maximum

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return self.value == 0

    def take(self, points: int) -> bool:
        """Take all of `points` and answer True, or nothing and answer False when there are not enough."""
        enough = _amount(points) <= self.value
        if enough:
            self.lose(points)
        return enough

    def lose(self, points: int) -> Change:
        """Take `points`, or as many as there are."""
        before = self.value
        self._set(max(0, before - _amount(points)))
        return Change(before, self.level, self.maximum)

    def give(self, points: int) -> Change:
        """Give `points`, or as many as there is room for."""
        before = self.value
        self._set(min(self.maximum, before + _amount(points)))
        return Change(before, self.level, self.maximum)

    def set_maximum(self, maximum: int) -> Change:
        """Change the maximum; what the bar holds above it is lost."""
        before = self.value
        self._set(before)
        self.maximum = _amount(maximum)
        self._set(min(before, self.maximum))
        return Change(before, self.level, self.maximum)

    def _at(self, moment: int) -> tuple[int, int]:
        """Points and carry at `moment`."""
        level = max(0, min(self.level, self.maximum))
        if level == self.maximum or not self.regain_per_minute:
            return level, 0
        elapsed = max(0, moment - self.as_of)
        gained, carry = divmod(elapsed * round(self.regain_per_minute * 1000) + self.carry, _POINT)
        return (self.maximum, 0) if level + gained >= self.maximum else (level + gained, carry)

    def _set(self, level: int, *, keep_carry: bool = True) -> None:
        """Write the points of now, and from when on they count."""
        moment = _milliseconds()
        carry = self._at(moment)[1] if keep_carry else 0
        self.level = level
        if self.regain_per_minute:
            self.as_of = moment
            self.carry = 0 if level == self.maximum else carry


def _milliseconds() -> int:
    return int(now() * 1000)


def _whole(points: object) -> int:
    if type(points) is not int:
        raise TypeError(f"{points!r} is no whole number; bars count in whole points")
    return points


def _amount(points: object) -> int:
    amount = _whole(points)
    if amount < 0:
        raise ValueError(f"{amount} is below zero; use the opposite method instead")
    return amount
