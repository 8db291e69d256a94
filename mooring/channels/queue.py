"""One channel, one order: a bounded queue, and one worker that takes its events through their turns."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from mooring.channels.runner import Body, TurnRunner
from mooring.channels.turn import current_turn
from mooring.events import Acknowledgement, UpEvent
from mooring.protocols import ChannelBusy, ServiceStopping

log = logging.getLogger(__name__)
T = TypeVar("T")


class _Job(NamedTuple):
    """Something to do in the channel's order, and who waits for it."""

    run: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]
    since: float


class ChannelQueue:
    """The queue of one channel. Handlers that hang or take long hold up their own channel and no other."""

    def __init__(self, runner: TurnRunner, *, queue_length: int) -> None:
        self._runner = runner
        self._queue_length = queue_length
        self._queue: asyncio.Queue[_Job] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._stopping = False
        self._is_catching_up = False

    @property
    def depth(self) -> int:
        """How many events wait."""
        return self._queue.qsize()

    @property
    def is_full(self) -> bool:
        """Whether the next event would be turned down."""
        return self.depth >= self._queue_length

    def start(self) -> None:
        """Begin to work."""
        self._worker = asyncio.create_task(self._work(), name=f"channel {self._runner.channel_id}")

    async def stop(self, patience: float) -> None:
        """Take no more events, finish those that wait, and after `patience` seconds give up on the rest.

        Whoever waits for one that was given up gets ServiceStopping; it can be sent again after the restart.
        """
        self._stopping = True
        if self._worker is None:
            return
        try:
            await asyncio.wait_for(self._queue.join(), patience)
        except TimeoutError:
            log.warning("channel %s did not finish in time; %d events and the one in hand are given up", self._runner.channel_id, self.depth)
        self._worker.cancel()
        await asyncio.wait([self._worker])
        while not self._queue.empty():
            _give_up(self._queue.get_nowait().done)

    def enqueue(self, event: UpEvent) -> asyncio.Future[Acknowledgement]:
        """Handle an event in its turn. Raises ChannelBusy and ServiceStopping, and then the event was not taken."""
        if self._stopping:
            raise ServiceStopping
        if self.is_full:
            raise ChannelBusy(self._runner.channel_id, self.depth)
        return self._enqueue(lambda: self._runner.event(event))

    async def run(self, body: Body[T], *, member_id: str = "") -> T:
        """Run `body` in its turn; inside a turn of this channel, in that turn. Raises what `body` raises.

        Not bounded by the queue's length, which is for what comes from outside, and possible until the worker has stopped,
        so that work in hand can come to its end.
        """
        turn = current_turn()
        if turn is not None and turn.open and turn is self._runner.turn:
            return await body(turn)
        if self._worker is None or self._worker.done():
            raise ServiceStopping
        result: T = await self._enqueue(lambda: self._runner.work(body, member_id=member_id))
        return result

    def catch_up(self) -> None:
        """Take over what other processes committed, before what comes in from now on. On the event loop."""
        if not self._is_catching_up and self._worker is not None and not self._worker.done():
            self._is_catching_up = True
            self._queue.put_nowait(_Job(self._catch_up, asyncio.get_running_loop().create_future(), time.perf_counter()))

    async def say_presence(self) -> None:
        """Tell the other processes who is connected here."""
        if self._runner.is_presence_due and self._worker is not None and not self._worker.done():
            await self._enqueue(self._runner.say_presence)

    async def _catch_up(self) -> None:
        self._is_catching_up = False
        await self._runner.follow()

    def _enqueue(self, run: Callable[[], Awaitable[Any]]) -> asyncio.Future[Any]:
        # Whoever sent an event may go away; that cancels the future and not the job, so the event happens all the same.
        job = _Job(run, asyncio.get_running_loop().create_future(), time.perf_counter())
        self._queue.put_nowait(job)
        return job.done

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            self._runner.waited(time.perf_counter() - job.since)
            try:
                result = await job.run()
                self._runner.show_characters(at_once=self._queue.empty())
                _resolve(job.done, result)
            except asyncio.CancelledError:
                _give_up(job.done)
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the one who asked for the work
                _fail(job.done, error)
            finally:
                self._queue.task_done()


def _resolve(done: asyncio.Future[Any], result: Any) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)


def _give_up(done: asyncio.Future[Any]) -> None:
    _fail(done, ServiceStopping())
    if not done.cancelled():
        done.exception()  # whoever waited may have gone away, which is not worth a line in the log
