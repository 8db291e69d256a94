"""An event loop whose time is a number and whose order is a seed's: the same seed gives the same run."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_CHOICES = 8
"""How many of those that are ready may be next."""


class Killed(BaseException):
    """The process in which this is raised is no more. Nothing may catch it and go on."""


class Stuck(Exception):
    """Everybody waits for somebody else."""


class Process:
    """What belongs to one operating system's process: once it is killed, nothing of it runs any more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.context = Context()
        self.context.run(_process.set, self)
        self.at_death: list[Callable[[], None]] = []

    def kill(self) -> None:
        """End it between two instructions."""
        if self.is_alive:
            self.is_alive = False
            for call in self.at_death:
                call()


_process: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs one callback at a time, of the ready ones whichever the seed says, and lets time pass only when none is ready.

    What asyncio promises stays true: the callbacks of one task, and those that are of no task, keep their order.
    """

    def __init__(self, seed: random.Random) -> None:
        super().__init__()
        self.random = seed
        self.now = 0.0
        self.steps = 0
        self.failures: list[str] = []
        """What reached the loop and should not have."""
        self.set_exception_handler(self._note)
        self._ready: deque[asyncio.Handle]
        self._scheduled: list[asyncio.TimerHandle]
        self._names: dict[Any, int] = {}
        self._buried: list[asyncio.Handle] = []
        """Kept to the end of the run: what a dead process holds is not closed, it is gone."""

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        task = getattr(callback, "__self__", None)
        if isinstance(task, asyncio.Task) and task not in self._names:
            self._names[task] = len(self._names) + 1
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        return self.call_soon(callback, *args, context=context)

    def run_in_no_loop(self, work: Callable[[], T]) -> T:
        """Run what believes to be in a thread of its own."""
        asyncio._set_running_loop(None)
        try:
            return work()
        finally:
            asyncio._set_running_loop(self)

    def bury(self) -> None:
        """Let go of everything that was left."""
        for task in self._names:
            task._log_destroy_pending = False
        self._names.clear()
        self._buried.clear()
        self._ready.clear()
        self._scheduled.clear()

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        while scheduled and (scheduled[0]._cancelled or scheduled[0].when() <= self.now or not ready):
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]  # or a cancellation would be counted
            if not timer._cancelled:
                self.now = max(self.now, timer.when())
                ready.append(timer)
        if not ready:
            raise Stuck("nobody is ready, and nobody waits for a time")
        handle = self._pick(ready)
        self.now += self.random.random() * 0.00002
        if handle._cancelled:
            return
        process = handle._context.get(_process)  # type: ignore[attr-defined]  # as `_run` itself uses it
        if process is not None and not process.is_alive:
            self._buried.append(handle)
            return
        self.steps += 1
        handle._run()

    def _pick(self, ready: deque[asyncio.Handle]) -> asyncio.Handle:
        if len(ready) == 1:
            return ready.popleft()
        # By name and not by place: the order in which sets of tasks are gone through is nobody's to repeat.
        first: dict[tuple[str, int], int] = {}
        for place, handle in zip(range(_CHOICES), ready, strict=False):
            first.setdefault(self._strand(handle), place)
        place = first[self.random.choice(sorted(first))]
        handle = ready[place]
        del ready[place]
        return handle

    def _strand(self, handle: asyncio.Handle) -> tuple[str, int]:
        process = handle._context.get(_process)  # type: ignore[attr-defined]
        task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        return (process.name if process is not None else "", self._names[task] if isinstance(task, asyncio.Task) else 0)

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Killed):
            self.failures.append(f"{context['message']}: {error!r}")

    def _write_to_self(self) -> None:
        """Nobody sleeps here who would have to be woken."""

    def _process_events(self, event_list: Any) -> None:
        """There are none."""
