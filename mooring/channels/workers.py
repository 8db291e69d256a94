"""Runs the handlers of one channel's turns, each for as long as it may, and gives up those that do not come back."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from mooring.channels.turn import Turn
from mooring.containment import GRACE, Begun, HandlerTask, contained
from mooring.errors import HandlerFailed, HandlerTimeout
from mooring.threads import Threads

log = logging.getLogger(__name__)
T = TypeVar("T")

STUCK_RUNS = 3
"""So many runs of a handler may hang in their threads before it is switched off."""

_LAST_MOMENT = 0.2
"""Seconds for a handler to clean up when its channel ends."""

_STACK_LINES = 6


class StillRuns(Protocol):
    """A run that was left alone."""

    @property
    def is_running(self) -> bool: ...


class StuckRuns:
    """The runs of handlers that were left alone, of all channels; a handler of which too many are left is off until it is loaded anew."""

    def __init__(self) -> None:
        self._runs: dict[str, list[StillRuns]] = {}

    def add(self, handler: str, run: StillRuns) -> None:
        """Note one."""
        self._runs.setdefault(handler, []).append(run)

    def count(self, handler: str) -> int:
        """How many of this handler's still run."""
        if handler not in self._runs:
            return 0
        running = [run for run in self._runs[handler] if run.is_running]
        if running:
            self._runs[handler] = running
        else:
            del self._runs[handler]
        return len(running)

    def forget(self, plugin: str) -> None:
        """Its code was loaded anew; what hangs is of the old."""
        for handler in [handler for handler in self._runs if handler.startswith(f"{plugin}: ")]:
            del self._runs[handler]

    def is_off(self, handler: str) -> bool:
        """Whether it is not to be run any more."""
        return bool(self._runs) and self.count(handler) >= STUCK_RUNS

    def problems(self) -> list[str]:
        """What hangs, in words."""
        counts = {handler: self.count(handler) for handler in list(self._runs)}
        return [
            f"{handler} has not returned from {count} run{'s' if count > 1 else ''}" + (", and is off until it is reloaded" * (count >= STUCK_RUNS))
            for handler, count in counts.items()
            if count
        ]


class _LeftAlone:
    def __init__(self, begun: Begun) -> None:
        self._begun = begun

    @property
    def is_running(self) -> bool:
        return not self._begun.is_over


class ChannelWorkers:
    """What runs the handlers of one channel, one after the other. `report` is told what the operator should know."""

    def __init__(self, channel_id: str, seconds: float, threads: Threads, stuck: StuckRuns, report: Callable[[str], None]) -> None:
        self._channel_id = channel_id
        self._seconds = seconds
        self.threads = threads
        self._stuck = stuck
        self.report = report
        self._turn: Turn | None = None
        self._task: HandlerTask | None = None

    def close(self) -> None:
        """Run no more."""
        if self._task is not None:
            self._task.close()
            self._task = None

    def problem(self) -> str | None:
        """Which handler has been running for too long, None if none."""
        turn = self._turn
        if turn is None or turn.overdue is None:
            return None
        return f"{turn.running()} did not return within {self._seconds:g} seconds"

    async def run(self, turn: Turn, body: Callable[[Turn], Awaitable[T]]) -> T:
        """Run a turn's handlers, in a task of their own. Raises what `body` raises, or an Exception in its place, and HandlerTimeout.

        The caller's cancellation ends it at once.
        """
        turn.since = asyncio.get_running_loop().time()
        self._turn = turn
        try:
            hand = self._task
            if hand is None or hand.task.done():
                hand = self._task = await HandlerTask.start()
            turn.task = hand.task
            begun = hand.begin(contained(body(turn), turn.running, turn))
            if begun.done is not None:
                await self._wait(turn, begun, begun.done, hand)
                if not begun.is_over:
                    raise HandlerFailed("the task of the channel's handlers ended")
            result: T = begun.outcome()
        finally:
            self._turn = None
        return result

    async def _wait(self, turn: Turn, begun: Begun, done: asyncio.Future[None], hand: HandlerTask) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while not done.done() and not hand.task.done():
                left = turn.since + self._seconds - clock()
                if left > 0:
                    await asyncio.wait((done, hand.task), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await self._end(turn, begun, done, hand)
        except asyncio.CancelledError:
            turn.is_given_up = True
            hand.task.cancel()
            await asyncio.wait((done,), timeout=_LAST_MOMENT)
            if not begun.is_over:
                log.warning("%s swallows its cancellation and is left alone", turn.running())
                self._leave(turn, begun)
            if self._leave_threads(turn):
                log.warning("%s still blocks its thread, which is left alone", turn.running())
            raise

    async def _end(self, turn: Turn, begun: Begun, done: asyncio.Future[None], hand: HandlerTask) -> None:
        """Put an end to the handler that runs; if it takes none, leave it alone and raise HandlerTimeout."""
        since = turn.since
        turn.overdue = HandlerTimeout(f"{turn.running()} did not return within {self._seconds:g} seconds")
        self.report(f"{turn.overdue} and was given up")
        log.error("%s and is given up; it stands in\n%s", turn.overdue, _where(turn, begun))
        hand.task.cancel()
        await asyncio.wait((done,), timeout=GRACE)
        self._leave_threads(turn)
        if not begun.is_over and turn.since == since:
            self._leave(turn, begun)
            raise turn.overdue

    def _leave_threads(self, turn: Turn) -> bool:
        left = [job for job in turn.jobs if job.is_running]
        turn.jobs.clear()
        turn.has_left_threads |= bool(left)
        for job in left:
            self._stuck.add(turn.handler, job)
        return bool(left)

    def _leave(self, turn: Turn, begun: Begun) -> None:
        turn.is_given_up = True
        self._stuck.add(turn.handler, _LeftAlone(begun))
        self.close()


def _where(turn: Turn, begun: Begun) -> str:
    """The line of the handler's code that is waited for, and of those that called it."""
    frame = next((job.frame for job in turn.jobs if job.frame is not None), None)
    if frame is not None:
        return "".join(traceback.format_stack(frame)[-_STACK_LINES:])
    return "".join(traceback.format_list(traceback.StackSummary.extract((each, each.f_lineno) for each in begun.frames()))[-_STACK_LINES:])
