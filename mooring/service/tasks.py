"""Work that runs beside the channels and ends with the service."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mooring.clock import Clock, in_hand, use_clock
from mooring.containment import Guarded, leave_alone

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 60.0
"""Seconds before what ended is started again; twice as long each time, unless it ran for longer than that."""


class _Endless:
    """Work that has to go on until the service stops."""

    def __init__(self, work: Work, name: str) -> None:
        self.work = work
        self.name = name
        self.pause = _FIRST_PAUSE
        self.began = 0.0
        self.is_over = False
        """Whether whoever wanted it wants it no more."""
        self.task: asyncio.Task[None] | None = None

    def end(self) -> None:
        """It is wanted no more. On the event loop."""
        self.is_over = True
        if self.task is not None:
            self.task.cancel()


class Tasks:
    """Tasks that somebody owns: a failure is logged, and none outlives `stop`. What must not end is started again.

    `report` is told what the operator should know.
    """

    def __init__(self, clock: Clock, report: Callable[[str], None]) -> None:
        self._clock = clock
        self._report = report
        self._running: set[asyncio.Task[None]] = set()
        self._endless: dict[asyncio.Task[None], _Endless] = {}
        self._down: set[str] = set()
        self._is_stopping = False
        # Not the context of whoever spawns: that may be inside a transaction, and the task must not be.
        self._context = contextvars.copy_context()

    def begin(self) -> None:
        """The service starts, perhaps not for the first time."""
        self._is_stopping = False

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Run `work` as a task. On the event loop."""
        self._start(work, name).add_done_callback(self._ended)

    def spawn_endless(self, work: Work, *, name: str) -> Callable[[], None]:
        """Run `work()` as a task again and again, whatever ends it; what is returned ends it for good. On the event loop."""
        endless = _Endless(work, name)
        self._live(endless)
        return endless.end

    def problems(self) -> list[str]:
        """What should run and does not, in words."""
        return [f"{name} ended and is started again in a moment" for name in sorted(self._down)]

    async def settle(self) -> None:
        """Wait until all have ended that end by themselves, and those that they spawned."""
        while pending := self._running - self._endless.keys() - {asyncio.current_task()}:
            await asyncio.wait(pending)

    async def stop(self, patience: float) -> None:
        """Cancel all of them and wait until they have ended, up to `patience` seconds."""
        self._is_stopping = True
        self._down.clear()
        for task in self._running:
            task.cancel()
        if self._running:
            _, left = await asyncio.wait(tuple(self._running), timeout=patience)
            for task in left:
                log.warning("%s does not end and is left alone", task.get_name())
                leave_alone(task)

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        context = self._context.copy()
        context.run(in_hand.set, use_clock(self._clock, name.partition(":")[0]))
        task = asyncio.get_running_loop().create_task(Guarded(work), name=name, context=context)
        self._running.add(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            if not self._is_stopping:
                log.error("%s failed: it was cancelled", task.get_name())
        elif (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)

    def _live(self, endless: _Endless) -> None:
        self._down.discard(endless.name)
        if self._is_stopping or endless.is_over:
            return
        endless.began = asyncio.get_running_loop().time()
        task = endless.task = self._start(endless.work(), endless.name)
        self._endless[task] = endless
        task.add_done_callback(self._died)

    def _died(self, task: asyncio.Task[None]) -> None:
        endless = self._endless.pop(task)
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if self._is_stopping or endless.is_over:
            if error is not None:
                log.error("%s failed", endless.name, exc_info=error)
            return
        loop = asyncio.get_running_loop()
        ran = loop.time() - endless.began
        endless.pause = _FIRST_PAUSE if ran > _LONGEST_PAUSE else min(2 * endless.pause, _LONGEST_PAUSE)
        log.error("%s ended and is started again in %.1f s", endless.name, endless.pause, exc_info=error)
        self._report(f"{endless.name} ended ({type(error).__name__ if error is not None else 'cancelled' if task.cancelled() else 'it returned'})")
        self._down.add(endless.name)
        # Later, and not now: if it is the event loop that ends, nothing is begun any more.
        loop.call_later(endless.pause, self._live, endless)
