"""When something happens again: after an interval, or at the times of a cron expression in a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from mooring.durations import parse_duration

_SHORTEST = 1.0


@dataclass(frozen=True)
class Recurrence:
    """One of the two: `seconds` from time to time, or `cron` in `zone`."""

    seconds: float = 0.0
    cron: str = ""
    zone: str = ""

    @classmethod
    def of(cls, interval: str, cron: str, zone: str) -> Recurrence:
        """What these words mean. Raises ValueError, which says what is wrong with them."""
        if bool(interval) == bool(cron):
            raise ValueError('say either an interval ("10m") or a cron expression (cron="30 9 * * 1-5")')
        if interval:
            seconds = parse_duration(interval).total_seconds()
            if seconds < _SHORTEST:
                raise ValueError(f"an interval of {interval!r} is shorter than a second")
            return cls(seconds)
        recurrence = cls(cron=cron, zone=zone)
        recurrence.next_after(0.0)
        return recurrence

    def next_after(self, now: float, since: float | None = None) -> float:
        """The next time after `now`; an interval counts from `since`, in whole steps, so that it does not drift.

        It counts from now if the clock was set back behind `since`.
        """
        if not self.cron:
            begin = now if since is None or now < since - _SHORTEST else since
            return begin + (max(0.0, now - begin) // self.seconds + 1) * self.seconds
        try:
            times = CronSim(self.cron, datetime.fromtimestamp(now, ZoneInfo(self.zone)))
            return next(times).timestamp()
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {self.zone!r}; use a name like Europe/Berlin") from error
        except CronSimError as error:
            raise ValueError(f"{self.cron!r} is no cron expression: {error}; use five fields like 30 9 * * 1-5") from error
        except StopIteration:
            raise ValueError(f"{self.cron!r} never comes") from None

    def to_record(self) -> dict[str, Any]:
        """The form that is kept."""
        return {"cron": self.cron, "zone": self.zone} if self.cron else {"seconds": self.seconds}

    @classmethod
    def from_record(cls, kept: dict[str, Any]) -> Recurrence:
        """What was kept."""
        return cls(**kept)
