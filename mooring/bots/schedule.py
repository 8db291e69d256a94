"""What is to happen later: kept in the channel's storage, so that a restart forgets nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from mooring.durations import parse_duration

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__mooring_every__"


@dataclass(frozen=True)
class Timer:
    """A function of a plugin that runs in every channel again and again."""

    plugin: str
    function: str
    seconds: float

    @property
    def key(self) -> str:
        return f"every {self.plugin} {self.function}"


@dataclass(frozen=True)
class ScheduledCall:
    """One thing that is to happen."""

    key: str
    due: float
    plugin: str
    function: str
    arguments: tuple[Any, ...] = ()
    member_id: str = ""
    seconds: float | None = None
    """For what `every` repeats."""


def every(interval: str) -> Callable[[Handler], Handler]:
    """Run the function with a Context in each channel, again after each `interval` (`"10m"`, `"1d"`).

    It runs in the channel's order and in a transaction. What came due while the service was down runs once at the start.
    """
    seconds = parse_duration(interval).total_seconds()
    if seconds < 1:
        raise ValueError(f"every({interval!r}) is shorter than a second")

    def mark(function: Handler) -> Handler:
        setattr(function, _MARK, seconds)
        return function

    return mark


def timers_of(plugin: str, functions: Iterator[Callable[..., Any]] | list[Callable[..., Any]]) -> tuple[Timer, ...]:
    """The functions that `every` marked."""
    return tuple(Timer(plugin, function.__name__, getattr(function, _MARK)) for function in functions if hasattr(function, _MARK))


def moment(when: str | timedelta | datetime, now: float) -> float:
    """Seconds since 1970 for a span from now (`"10m"`, a timedelta) or a time with a zone."""
    if isinstance(when, datetime):
        if when.tzinfo is None:
            raise ValueError(f"{when} has no time zone; use datetime.now(UTC) + ... or a timedelta")
        return when.astimezone(UTC).timestamp()
    return now + (parse_duration(when) if isinstance(when, str) else when).total_seconds()


class Schedule:
    """The entries of one channel, over a dict of its storage."""

    def __init__(self, kept: MutableMapping[str, Any]) -> None:
        self._kept = kept

    def add(self, due: float, plugin: str, function: str, arguments: tuple[Any, ...], member_id: str) -> str:
        """Note a call for later and return the key by which it can be cancelled."""
        key = secrets.token_hex(8)
        self._kept[key] = {"due": due, "plugin": plugin, "function": function, "arguments": list(arguments), "member": member_id}
        return key

    def cancel(self, key: str) -> bool:
        """Forget a call; False if it has happened already."""
        return self._kept.pop(key, None) is not None

    def begin(self, timer: Timer, now: float) -> None:
        """Note when a repeated function comes due first, or sooner than it did if its interval became shorter."""
        first = now + timer.seconds
        kept = self._kept.get(timer.key)
        if kept is None or kept["due"] > first or kept["seconds"] != timer.seconds:
            due = first if kept is None else min(first, kept["due"])
            self._kept[timer.key] = {"due": due, "plugin": timer.plugin, "function": timer.function, "seconds": timer.seconds}

    def due(self, now: float) -> list[ScheduledCall]:
        """What should have happened by now, the oldest first."""
        return sorted((entry for entry in self.entries() if entry.due <= now), key=lambda entry: (entry.due, entry.key))

    def next_due(self) -> float | None:
        """When the next entry comes due."""
        return min((entry.due for entry in self.entries()), default=None)

    def entries(self) -> Iterator[ScheduledCall]:
        """All that is to happen."""
        return (_entry(key, kept) for key, kept in list(self._kept.items()))

    def take(self, key: str, now: float) -> ScheduledCall | None:
        """The entry, if it is still there and due: removed, or moved on to its next time."""
        kept = self._kept.get(key)
        if kept is None or kept["due"] > now:
            return None
        if kept.get("seconds") is None:
            del self._kept[key]
        else:
            missed = (now - kept["due"]) // kept["seconds"]
            self._kept[key] = {**kept, "due": kept["due"] + (missed + 1) * kept["seconds"]}
        return _entry(key, kept)


def _entry(key: str, kept: dict[str, Any]) -> ScheduledCall:
    return ScheduledCall(
        key,
        kept["due"],
        kept["plugin"],
        kept["function"],
        tuple(kept.get("arguments", ())),
        kept.get("member", ""),
        kept.get("seconds"),
    )
