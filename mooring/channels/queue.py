"""One channel, one order: a bounded queue, and one worker that takes its events through their turns.

What members have waiting comes in turn, and each member's own in the order in which it came: whoever sends much waits for themselves.

The turns overlap their commits: the next one runs on what the one before has handed to the engine, while that is being made
safe. Results come out in the same order, each when its own commit and all before it are kept. If one fails, so do all that
were built on it; they are run again on what is kept, before anything else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import insort
from collections import deque
from collections.abc import Awaitable, Callable
from operator import attrgetter
from typing import Any, TypeVar

from mooring.channels.attempt import Attempt
from mooring.channels.quota import Quota
from mooring.channels.runner import Body, TurnRunner
from mooring.channels.sends import SendLimits
from mooring.channels.turn import current_turn
from mooring.channels.turn_taking import TurnTaking
from mooring.events import Acknowledgement, UpEvent
from mooring.protocols import ChannelBusy, ServiceError, ServiceStopping
from storage.errors import CommitFailed, OutcomeUnknown, PredecessorFailed, VersionConflict

log = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS = 20
"""How often a turn is run when other processes keep committing first, before its member is asked to try again."""

_BREATH = 0.002
"""Seconds after which a channel that is never out of work lets the others have the event loop."""


_LAST_MOMENT = 0.5
"""Seconds for the worker to end in; it hangs if an engine does."""

_RESTART = 0.1
"""Seconds before a worker that ended is followed by another."""

_OWN_WORK = ""
"""Has its turn like a member: what timers, tasks and other processes want done in the channel's order."""


class _Job:
    """Something to do in the channel's order, and who waits for it."""

    __slots__ = ("attempts", "done", "doubt", "give_up", "number", "run", "since")

    def __init__(self, run: Callable[[], Awaitable[Attempt]], give_up: Callable[[CommitFailed], Any] | None = None) -> None:
        self.run = run
        self.give_up = give_up
        """The result in place of one that could not be committed; without it, whoever waits gets the error."""
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.since = time.perf_counter()
        self.attempts = 0
        self.doubt: OutcomeUnknown | None = None
        """Why an earlier attempt may have been committed."""
        self.number = 0
        """Its place in the channel's order, once it was run."""


class ChannelQueue:
    """The queue of one channel. Handlers that hang or take long hold up their own channel and no other.

    `report` is told what the operator should know.
    """

    def __init__(self, runner: TurnRunner, *, queue_length: int, report: Callable[[str], None]) -> None:
        self._runner = runner
        runner.is_sound = self._is_sound
        runner.until_settled = self._until_settled
        self._report = report
        self._queue_length = queue_length
        self._waiting: TurnTaking[_Job] = TurnTaking()
        self._again: deque[_Job] = deque()
        """What was built on a commit that failed, in the channel's order."""
        self._taken = 0
        self._in_flight: deque[tuple[_Job, Attempt]] = deque()
        """Turns that were handed in, in their order."""
        self._has_failed = False
        """A commit in flight failed; until all that were built on it are back, no other turn begins."""
        self._unfinished = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._news = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._stopping = False
        self._is_over = False
        self._is_catching_up = False

    @property
    def depth(self) -> int:
        """How many events wait."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next event would be turned down."""
        return self.depth >= self._queue_length

    def limit(self, queue_length: int, sends: SendLimits, quota: Quota) -> None:
        """From now on so many events may wait, and each of them may do so much."""
        self._queue_length = queue_length
        self._runner.limit(sends, quota)

    def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work(), name=f"channel {self._runner.channel_id}")
        self._worker.add_done_callback(self._died)

    async def stop(self, patience: float) -> None:
        """Take no more events, finish those that wait, and after `patience` seconds give up on the rest.

        Whoever waits for one that was given up gets ServiceStopping; it can be sent again after the restart.
        """
        self._stopping = True
        if self._worker is None:
            return
        try:
            await asyncio.wait_for(self._idle.wait(), patience)
        except TimeoutError:
            log.warning("channel %s did not finish in time; %d events and the one in hand are given up", self._runner.channel_id, self.depth)
        self._is_over = True
        self._worker.cancel()
        await asyncio.wait([self._worker], timeout=_LAST_MOMENT)
        for job in (*(job for job, _ in self._in_flight), *self._again, *self._waiting):
            _give_up(job.done)

    def enqueue(self, event: UpEvent) -> asyncio.Future[Acknowledgement]:
        """Handle an event in its turn. Raises ChannelBusy and ServiceStopping, and then the event was not taken.

        The result raises ChannelBusy for one that waited, was not begun, and had to make room for another member's.
        """
        if self._stopping:
            raise ServiceStopping
        if self.is_full:
            self._make_room(event.member_id)
        runner = self._runner
        return self._put(_Job(lambda: runner.event(event), lambda error: runner.unavailable(event, error)), event.member_id)

    def _make_room(self, member_id: str) -> None:
        """Turn down the last of whoever has most waiting, for somebody who has clearly less. Raises ChannelBusy if all have as much."""
        greediest = self._waiting.largest(besides=_OWN_WORK)
        busy = ChannelBusy(self._runner.channel_id, self.depth)
        if self._waiting.count(greediest) <= self._waiting.count(member_id) + 1:
            raise busy
        # It was not begun, so it can be sent again like any other that was not taken.
        _raise(self._waiting.pop_last(greediest).done, busy)
        self._ended()

    async def run(self, body: Body[T], *, member_id: str = "") -> T:
        """Run `body` in its turn; inside a turn of this channel, in that turn. Raises what `body` raises.

        Not bounded by the queue's length, which is for what comes from outside, and possible until the worker has stopped,
        so that work in hand can come to its end.
        """
        turn = current_turn()
        if turn is not None and turn.open and turn is self._runner.turn:
            return await body(turn)
        if self._worker is None or self._is_over:
            raise ServiceStopping
        result: T = await self._put(_Job(lambda: self._runner.work(body, member_id=member_id)))
        return result

    def catch_up(self) -> None:
        """Take over what other processes committed, before what comes in from now on. On the event loop."""
        if not self._is_catching_up and self._worker is not None and not self._is_over:
            self._is_catching_up = True
            self._put(_Job(self._catch_up, self._news_have_to_wait))

    @property
    def is_presence_due(self) -> bool:
        """Whether the other processes do not know yet who is connected here."""
        return self._runner.is_presence_due and self._worker is not None and not self._is_over

    async def say_presence(self) -> None:
        """Tell the other processes who is connected here. Raises StorageError."""
        if self.is_presence_due:
            await self._put(_Job(self._runner.say_presence))

    async def _catch_up(self) -> Attempt:
        self._is_catching_up = False
        return await self._runner.follow()

    def _news_have_to_wait(self, error: CommitFailed) -> None:
        log.debug("the news of channel %s have to wait: %s", self._runner.channel_id, error)

    def _put(self, job: _Job, party: str = _OWN_WORK) -> asyncio.Future[Any]:
        # Whoever sent an event may go away; that cancels the future and not the job, so the event happens all the same.
        self._unfinished += 1
        self._idle.clear()
        self._waiting.put(party, job)
        self._news.set()
        return job.done

    # -- the worker ------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        breath = clock()
        while True:
            job = await self._next()
            if not job.attempts:
                self._runner.waited(time.perf_counter() - job.since)
            job.attempts += 1
            try:
                attempt = await job.run()
            except BaseException:
                _give_up(job.done)
                self._ended()
                raise
            self._in_flight.append((job, attempt))
            if attempt.is_over:
                self._settle()
            elif attempt.outcome is not None:
                attempt.outcome.add_done_callback(self._settle)
            if clock() - breath > _BREATH:
                await asyncio.sleep(0)
                breath = clock()

    def _died(self, worker: asyncio.Task[None]) -> None:
        """Nothing that a handler does reaches the worker; if it ends all the same, another takes its place."""
        if self._is_over:
            return
        error = None if worker.cancelled() else worker.exception()
        log.error("the worker of channel %s ended, and another takes its place", self._runner.channel_id, exc_info=error)
        self._report(f"the worker of channel {self._runner.channel_id} ended, and another took its place")
        # Later, and not now: if it is the event loop that ends, nothing is begun any more.
        asyncio.get_running_loop().call_later(_RESTART, self._restart)

    def _restart(self) -> None:
        if not self._is_over:
            self.start()

    async def _next(self) -> _Job:
        """What is to be run next."""
        while True:
            if self._has_failed and not self._in_flight:
                self._has_failed = False
                self._runner.reset()
            if not self._has_failed:
                if self._again:
                    return self._again.popleft()
                if self._waiting:
                    job = self._waiting.pop()
                    self._taken += 1
                    job.number = self._taken
                    return job
            self._news.clear()
            await self._news.wait()

    def _is_sound(self) -> bool:
        """Whether what was handed in and not settled here is kept."""
        return not self._has_failed and all(attempt.is_over and attempt.commit_failure() is None for _, attempt in self._in_flight)

    async def _until_settled(self) -> None:
        """Wait until the results are out of all that was handed in. The engines are done with it, and this has not been told yet."""
        while self._in_flight:
            self._news.clear()
            await self._news.wait()

    def _settle(self, _: object = None) -> None:
        """Let out the results of the turns whose commits are decided, in their order."""
        in_flight = self._in_flight
        while in_flight and in_flight[0][1].is_over:
            job, attempt = in_flight.popleft()
            failure = attempt.commit_failure()
            if failure is None and self._has_failed:
                failure = PredecessorFailed("a commit that this turn was built on failed")
            if failure is None:
                self._finish(job, attempt)
            else:
                self._has_failed = True
                self._fail(job, failure)
        self._news.set()

    def _finish(self, job: _Job, attempt: Attempt) -> None:
        if attempt.accept is not None:
            attempt.accept()
        self._runner.show_changes(at_once=not self._waiting and not self._in_flight)
        if attempt.error is None:
            _resolve(job.done, attempt.result)
        else:
            _raise(job.done, attempt.error)
        self._ended()

    def _fail(self, job: _Job, failure: CommitFailed) -> None:
        # What is given up is answered at once, which must not be before others that came earlier and are run again.
        if isinstance(failure, OutcomeUnknown):
            job.doubt = failure
        comes_after = bool(self._again) and self._again[0].number < job.number
        if (comes_after or isinstance(failure, VersionConflict | PredecessorFailed)) and job.attempts < ATTEMPTS:
            self._runner.note_retry(failure, job.attempts)
            # Not at the end: there may be others that failed together with it before, and came later.
            insort(self._again, job, key=attrgetter("number"))
            return
        failure = job.doubt or failure
        try:
            if job.give_up is None:
                raise failure
            _resolve(job.done, job.give_up(failure))
        except (CommitFailed, ServiceError) as error:
            _raise(job.done, error)
        self._ended()

    def _ended(self) -> None:
        self._unfinished -= 1
        if not self._unfinished:
            self._idle.set()


def _resolve(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


def _raise(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


def _give_up(done: asyncio.Future[Any]) -> None:
    _raise(done, ServiceStopping())
    if not done.cancelled():
        done.exception()  # whoever waited may have gone away, which is not worth a line in the log
