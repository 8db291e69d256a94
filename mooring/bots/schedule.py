"""What is to happen later: kept in the channel's storage, so that a restart forgets nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from mooring.bots.recurrence import Recurrence
from mooring.durations import parse_duration

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__mooring_every__"


@dataclass(frozen=True)
class Timer:
    """A function of a plugin that runs in every channel again and again."""

    plugin: str
    function: str
    recurrence: Recurrence

    @property
    def key(self) -> str:
        return f"every {self.plugin} {self.function}"


@dataclass(frozen=True)
class ScheduledCall:
    """One thing that is to happen."""

    key: str
    due: float
    """Seconds since 1970, of the next try after a failure."""
    plugin: str
    function: str
    arguments: tuple[Any, ...] = ()
    member_id: str = ""
    """In whose name it happens; empty for what `every` repeats."""
    recurrence: Recurrence | None = None
    tries: int = 0
    """How often it failed since it was due."""
    has_failed: bool = False
    """Whether it is given up: it is only listed, until somebody cancels it or tries it again."""
    problem: str = ""
    """Why it failed last, for operators."""
    since: float | None = None
    """When a span of time began that ends with `due`; None if the time of the day was meant, or the recurrence tells."""

    @property
    def is_span(self) -> bool:
        """Whether it comes after so much time, whatever becomes of the clock."""
        return self.since is not None or (self.recurrence is not None and not self.recurrence.cron)

    def wait(self, now: float) -> float:
        """Seconds until it is due; if it is a span never more than that, since the clock may have been set back."""
        spans = [self.due - now]
        if self.since is not None:
            spans.append(self.due - self.since)
        elif self.recurrence is not None and not self.recurrence.cron:
            spans.append(self.recurrence.seconds)
        return max(0.0, min(spans))


@dataclass(frozen=True)
class Patience:
    """How often a call that fails is tried, and how long it waits for the next try: doubled each time, up to an hour."""

    tries: int = 5
    seconds: float = 10.0

    def wait(self, tries: int) -> float:
        """Seconds until the next try after so many."""
        return min(self.seconds * 2.0 ** min(tries - 1, 30), 3600.0)


def new_key() -> str:
    """A key that no other call has."""
    return secrets.token_hex(8)


def every(interval: str = "", *, cron: str = "", zone: str = "UTC") -> Callable[[Handler], Handler]:
    """Run the function with a Context in each channel, again after each `interval` (`"10m"`, `"1d"`) or at the times of `cron`.

    `cron` is an expression of five fields, `"30 9 * * 1-5"`, read in the time zone `zone` (`"Europe/Berlin"`), whatever the
    clocks do there in spring and autumn. It runs in the channel's order and in a transaction. What came due while the service
    was down runs once at the start. Raises ValueError.
    """
    recurrence = Recurrence.of(interval, cron, zone)

    def mark(function: Handler) -> Handler:
        setattr(function, _MARK, recurrence)
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
    """The calls of one channel, over a dict of its storage."""

    def __init__(self, kept: MutableMapping[str, Any]) -> None:
        self._kept = kept

    def add(self, call: ScheduledCall) -> None:
        """Note a call for later; its key cancels it."""
        self._put(call)

    def cancel(self, key: str) -> bool:
        """Forget a call; False if it has happened already."""
        return self._kept.pop(key, None) is not None

    def begin(self, timer: Timer, now: float) -> None:
        """Note when a repeated function comes due first, or sooner than it did if its interval became shorter."""
        first = timer.recurrence.next_after(now)
        kept = self.get(timer.key)
        if kept is None or kept.due > first or kept.recurrence != timer.recurrence:
            due = first if kept is None else min(first, kept.due)
            self._put(ScheduledCall(timer.key, due, timer.plugin, timer.function, recurrence=timer.recurrence))

    def follow_clock(self, now: float) -> None:
        """The clock was set back: what comes at times of the day comes at its next one from now."""
        for call in self.calls():
            if call.recurrence is not None and call.recurrence.cron and not call.has_failed:
                due = call.recurrence.next_after(now)
                if due < call.due:
                    self._put(replace(call, due=due))

    def keys(self) -> list[str]:
        """The keys of all."""
        return list(self._kept)

    def next_due(self) -> float | None:
        """When the next call comes due."""
        return min((call.due for call in self.calls() if not call.has_failed), default=None)

    def calls(self) -> Iterator[ScheduledCall]:
        """All that is to happen, and what is given up."""
        return (_from_record(key, kept) for key, kept in list(self._kept.items()))

    def get(self, key: str) -> ScheduledCall | None:
        """The call with this key."""
        kept = self._kept.get(key)
        return None if kept is None else _from_record(key, kept)

    def take(self, key: str, now: float, due: float | None = None) -> ScheduledCall | None:
        """The call, if it is still there and due: removed, or moved on to its next time. In the transaction in which it runs.

        `due` names the time that is meant, which has come even if the clock was set back.
        """
        call = self.get(key)
        if call is None or call.has_failed or (call.due > now and call.due != due):
            return None
        self._go_on(call, now)
        return call

    def put_off(self, key: str, now: float, problem: str, patience: Patience) -> ScheduledCall | None:
        """Note that a call failed: it is tried again later, and after the last try given up, which nobody drops.

        One that is repeated goes on with its next time then. Returns the call as it stands; None if it is not there any more.
        """
        call = self.get(key)
        if call is None:
            return None
        tries = call.tries + 1
        if tries < patience.tries:
            call = replace(call, due=now + patience.wait(tries), since=now, tries=tries, problem=problem)
            self._put(call)
            return call
        failed = replace(call, tries=tries, has_failed=True, problem=problem)
        if call.recurrence is None:
            self._put(failed)
        else:
            self._go_on(failed, now)
        return failed

    def try_again(self, key: str, now: float) -> bool:
        """Let a call that was given up run once more; False if there is none with this key."""
        call = self.get(key)
        if call is None or not call.has_failed:
            return False
        self._put(replace(call, due=now, since=now, tries=0, has_failed=False))
        return True

    def _go_on(self, call: ScheduledCall, now: float) -> None:
        if call.recurrence is None:
            del self._kept[call.key]
        else:
            self._put(replace(call, due=call.recurrence.next_after(now, since=call.due), since=None, tries=0, has_failed=False))

    def _put(self, call: ScheduledCall) -> None:
        record: dict[str, Any] = {"due": call.due, "plugin": call.plugin, "function": call.function}
        if call.arguments:
            record["arguments"] = list(call.arguments)
        if call.member_id:
            record["member"] = call.member_id
        if call.recurrence is not None:
            record["recurrence"] = call.recurrence.to_record()
        if call.tries:
            record["tries"] = call.tries
        if call.has_failed:
            record["failed"] = True
        if call.problem:
            record["problem"] = call.problem
        if call.since is not None:
            record["since"] = call.since
        self._kept[call.key] = record


def _from_record(key: str, kept: dict[str, Any]) -> ScheduledCall:
    recurrence = Recurrence.from_record(kept["recurrence"]) if "recurrence" in kept else None
    return ScheduledCall(
        key,
        kept["due"],
        kept["plugin"],
        kept["function"],
        tuple(kept.get("arguments", ())),
        kept.get("member", ""),
        recurrence,
        kept.get("tries", 0),
        kept.get("failed", False),
        kept.get("problem", ""),
        kept.get("since"),
    )
