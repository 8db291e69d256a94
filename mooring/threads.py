"""Threads for code that blocks: as many as are needed, so that one that never comes back costs nobody else theirs.

asyncio's own pool has a few threads for a whole process, waits for all of them at the end, and cannot do without one that hangs.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TypeVar

from mooring.clock import in_hand
from mooring.errors import as_exception

T = TypeVar("T")

_IDLE_SECONDS = 10.0
"""How long a thread without work is kept for the next."""

_AT_ONCE = 16
"""How many threads `asyncio.to_thread` uses at once for one plugin."""


class Job:
    """A piece of work in a thread. It cannot be stopped, only left alone."""

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self.is_running = True
        self._work: Callable[[], object] | None = work
        self._name = name
        self._thread: int | None = None

    @property
    def frame(self) -> FrameType | None:
        """Where it is just now, None if it does not run."""
        return sys._current_frames().get(self._thread) if self._thread is not None and self.is_running else None

    def __call__(self) -> None:
        thread = threading.current_thread()
        self._thread = thread.ident
        thread.name = f"mooring {self._name}".strip()
        work, self._work = self._work, None  # its error's traceback leads here, and may not lead on to whom it is for
        try:
            if work is not None:
                work()
        finally:
            del work
            self.is_running = False
            thread.name = "mooring idle"


class Threads:
    """Daemon threads: the end of the process does not wait for them. May be used from any thread."""

    def __init__(self) -> None:
        self._idle: deque[SimpleQueue[Job]] = deque()

    def start(self, work: Callable[[], object], name: str = "") -> Job:
        """Run `work`, which must not raise, in a thread of its own; `name` is what debuggers call it meanwhile."""
        job = Job(work, name)
        try:
            self._idle.pop().put(job)
        except IndexError:
            threading.Thread(target=self._live, args=(job,), daemon=True).start()
        return job

    async def run(self, function: Callable[..., T], *arguments: Any, name: str = "", started: Callable[[Job], object] | None = None) -> T:
        """Run blocking code in a thread, in this context, and return or raise what it does: an Exception whatever it raises.

        If the waiting is cancelled the thread goes on; `started` is told of its Job.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        call = partial(copy_context().run, function, *arguments)

        job = self.start(partial(_answer, loop, done, call), name)
        if started is not None:
            started(job)
        try:
            return await done
        finally:
            del done  # or an error that it holds and this frame would keep each other

    def _live(self, job: Job) -> None:
        jobs: SimpleQueue[Job] = SimpleQueue()
        while True:
            job()
            del job  # what it holds on to is not kept while the thread waits
            self._idle.append(jobs)
            try:
                job = jobs.get(timeout=_IDLE_SECONDS)
            except Empty:
                try:
                    self._idle.remove(jobs)
                except ValueError:  # somebody has just taken it
                    job = jobs.get()
                else:
                    return


class PluginThreads(ThreadPoolExecutor):
    """The event loop's default executor, which `asyncio.to_thread` uses: a share of threads for each plugin.

    What plugins leave hanging in it takes only from their own share. The framework runs nothing in it. It is a
    ThreadPoolExecutor by name alone, because event loops accept nothing else.
    """

    def __init__(self, threads: Threads) -> None:
        self._all = threads
        self._guard = threading.Lock()
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Run it as soon as the share of the plugin in hand has a thread for it."""
        hand = in_hand.get()
        owner = hand.owner if hand is not None else ""
        future: Future[T] = Future()

        def work() -> None:
            try:
                if future.set_running_or_notify_cancel():
                    _finish(future, partial(function, *arguments, **named))
            finally:
                self._ended(owner)

        def start() -> None:
            job = self._all.start(work, owner)
            if hand is not None:
                hand.started(job)

        with self._guard:
            is_full = self._running.get(owner, 0) >= _AT_ONCE
            if is_full:
                self._waiting.setdefault(owner, deque()).append(start)
            else:
                self._running[owner] = self._running.get(owner, 0) + 1
        if not is_full:
            start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing is waited for: the threads end with the process."""

    def _ended(self, owner: str) -> None:
        with self._guard:
            waiting = self._waiting.get(owner)
            following = waiting.popleft() if waiting else None
            if following is None:
                self._waiting.pop(owner, None)
                self._running[owner] -= 1
                if not self._running[owner]:
                    del self._running[owner]
        if following is not None:
            following()


def _answer(loop: asyncio.AbstractEventLoop, done: asyncio.Future[T], call: Callable[[], T]) -> None:
    result, error = _outcome(call)
    finish = partial(_set_result, done, result) if error is None else partial(_set_exception, done, error)
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(finish)
    del done, error, finish  # the traceback leads to this frame: an error and a future in it would keep each other


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
        return None, as_exception(error)


def _finish(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
        future.set_exception(as_exception(error))
    else:
        future.set_result(result)


def _set_result(done: asyncio.Future[T], result: T) -> None:
    if not done.done():
        done.set_result(result)


def _set_exception(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
