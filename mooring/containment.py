"""Where the code of plugins begins: whatever it raises comes out as an Exception, and it has its time and no more."""

from __future__ import annotations

import asyncio
import logging
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from types import FrameType
from typing import Any, Protocol, TypeVar, cast

from mooring.clock import in_hand
from mooring.errors import HandlerBlocked, HandlerFailed, HandlerTimeout, as_exception

log = logging.getLogger(__name__)
T = TypeVar("T")

GRACE = 1.0
"""Seconds in which what was cancelled has to end before it is left alone."""


class Run(Protocol):
    """Of what `contained` has to know whether it was ended from outside."""

    overdue: HandlerTimeout | None
    """Set before the task is cancelled because the handler has had its time."""
    is_given_up: bool
    """Set when nobody waits for the outcome any more."""


async def contained(work: Awaitable[T], name: Callable[[], str], run: Run) -> T:
    """Await what a plugin does, and raise only Exceptions; `name` is what the log calls it.

    A cancellation that it raises, or asks for itself, is a fault like any other. Only one by whoever gave the run up passes.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        result = await work
    except asyncio.CancelledError as error:
        if run.is_given_up:
            raise
        await _uncancel(task, before)
        raise run.overdue or HandlerFailed("it was cancelled") from error
    except BaseException as error:
        if run.is_given_up:
            raise
        await _uncancel(task, before)
        raise as_exception(error)  # noqa: B904 - it is the error itself, or names it as its cause
    if task is not None and task.cancelling() > before and not run.is_given_up:
        await _uncancel(task, before)
        raise run.overdue or HandlerFailed("it cancelled its own task")
    return result


async def _uncancel(task: asyncio.Task[Any] | None, before: int) -> None:
    """Take back what was asked of the task, so that it does not hit those who come after."""
    while task is not None and task.cancelling() > before:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # a cancellation that was not raised yet is raised here
        task.uncancel()


class Begun:
    """A coroutine that has been begun, in a context of its own."""

    __slots__ = ("_context", "_coroutine", "_error", "_result", "_yielded", "done", "is_over")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._context = copy_context()
        self._yielded: Any = None
        self._result: Any = None
        self._error: BaseException | None = None
        self.is_over = False
        self.done: asyncio.Future[None] | None = None
        """Done when the coroutine is, if it was not at its first step."""

    def outcome(self) -> Any:
        """What the coroutine returned, or raise what it raised."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # or it and this frame would keep each other
        return self._result

    def frames(self) -> list[FrameType]:
        """Where the coroutine waits, outermost first."""
        found = []
        awaited: Any = self._coroutine
        while awaited is not None:
            frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
            if frame is not None:
                found.append(frame)
            awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
        return found

    def step(self, step: Callable[[Any], Any], argument: Any) -> None:
        """Let it run until it waits or is over."""
        try:
            self._yielded = self._context.run(step, argument)
        except StopIteration as end:
            self.is_over, self._result = True, end.value
        except BaseException as error:  # noqa: BLE001 - it is for who asks for the outcome
            self.is_over, self._error = True, error
            del argument  # it may be the same error, whose traceback now holds this frame

    def rest(self, thrown: BaseException | None) -> Generator[Any, Any, None]:
        """What is left of it after its first step, which was interrupted if `thrown` is not None."""
        coroutine = self._coroutine
        if thrown is not None:
            if self._yielded is not None:
                self._yielded._asyncio_future_blocking = False  # it is not waited for after all
            self.step(coroutine.throw, thrown)
        while not self.is_over:
            try:
                value = yield self._take_yielded()
            except BaseException as error:  # noqa: BLE001 - a cancellation, which is for the coroutine
                self.step(coroutine.throw, error)
            else:
                self.step(coroutine.send, value)

    def _take_yielded(self) -> Any:
        # Not kept: a future that fails holds the error, whose traceback holds the frame of `rest`, which holds this.
        yielded, self._yielded = self._yielded, None
        return yielded


class HandlerTask:
    """A task in which coroutines run, one after the other.

    Each takes its first step at once and goes through the event loop only if it has to wait. Most handlers wait for nothing, and a
    task and a round of the loop for each of them would cost as much as many of them do.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wake: asyncio.Future[None] = loop.create_future()
        self._begun: Begun | None = None
        self._is_closed = False
        self.task = asyncio.Task(self._live(), loop=loop, name="handlers")

    @classmethod
    async def start(cls) -> HandlerTask:
        """One that can be used."""
        made = cls(asyncio.get_running_loop())
        await asyncio.sleep(0)  # a task that is cancelled before its first step never takes one
        return made

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> Begun:
        """Begin one; when it is over, the next may be begun. Called from another task."""
        begun = Begun(coroutine)
        loop, caller = self._loop, cast("asyncio.Task[Any]", asyncio.current_task())
        # As event loops of others change tasks; see "Extending" in asyncio's documentation.
        _leave_task(loop, caller)
        _enter_task(loop, self.task)
        try:
            begun.step(coroutine.send, None)
        finally:
            _leave_task(loop, self.task)
            _enter_task(loop, caller)
        if not begun.is_over:
            begun.done = loop.create_future()
            self._begun = begun
            if not self._wake.done():
                self._wake.set_result(None)
        return begun

    def close(self) -> None:
        """Begin no more; what runs is left alone."""
        self._is_closed = True
        if self.task.done():
            return
        if self._begun is None and not self._wake.done():
            self._wake.set_result(None)
        leave_alone(self.task)

    async def _live(self) -> None:
        while not self._is_closed:
            thrown = None
            try:
                await self._wake
            except asyncio.CancelledError as error:
                if self._begun is None:
                    raise
                thrown = error  # the coroutine asked for it in its first step
            self._wake = self._loop.create_future()
            begun, self._begun = self._begun, None
            if begun is not None and begun.done is not None:
                await _Awaitable(begun.rest(thrown))
                if not begun.done.done():
                    begun.done.set_result(None)


class _Awaitable:
    def __init__(self, generator: Generator[Any, Any, None]) -> None:
        self._generator = generator

    def __await__(self) -> Generator[Any, Any, None]:
        return self._generator


class Guarded(Coroutine[Any, Any, Any]):
    """A coroutine for a task: what would end the event loop comes out of it as an Exception."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        try:
            return self._coroutine.send(value)
        except (SystemExit, KeyboardInterrupt, HandlerBlocked) as error:
            raise as_exception(error)  # noqa: B904 - it names it as its cause

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Any:
        try:
            return self._coroutine.throw(kind if value is None else value)
        except (SystemExit, KeyboardInterrupt, HandlerBlocked) as error:
            raise as_exception(error)  # noqa: B904 - it names it as its cause

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # what debuggers and `Task.get_stack` look at


def plugin_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
    """A task factory for the event loop: a task that plugins start does not end the loop by raising SystemExit.

    A handler that parses with argparse inside of `asyncio.wait_for` has such a task.
    """
    if in_hand.get() is not None and asyncio.iscoroutine(coroutine):
        coroutine = Guarded(coroutine)
    return asyncio.Task(coroutine, loop=loop, **named)


def leave_alone(task: asyncio.Task[Any]) -> None:
    """Wait no longer for a task that does not end when it is cancelled, at the end of the program neither."""
    asyncio.tasks._unregister_task(task)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio's own gather does
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


async def within(seconds: float | None, work: Coroutine[Any, Any, T], name: str) -> T:
    """What `work` returns or raises, an Exception in any case. Raises HandlerTimeout if it takes longer; it is cancelled then."""
    task = asyncio.get_running_loop().create_task(_as_outcome(work), name=name)
    try:
        await asyncio.wait((task,), timeout=seconds)
        if seconds is not None and not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=min(GRACE, seconds))
            if not task.done():
                leave_alone(task)
            raise HandlerTimeout(f"{name} did not return within {seconds:g} seconds")
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,), timeout=GRACE)
        if not task.done():
            leave_alone(task)
        raise
    if task.cancelled():
        raise HandlerFailed(f"{name} was cancelled")
    result, error = task.result()
    try:
        if error is not None:
            raise error
    finally:
        del task, error  # or what failed, and all that it had in hand, would stay until cyclic garbage is collected
    return result  # type: ignore[return-value]


async def _as_outcome(work: Awaitable[T]) -> tuple[T | None, Exception | None]:
    # Returned and not raised: a task that raises SystemExit ends the event loop.
    try:
        return await work, None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - raised by who waits
        return None, as_exception(error)


def find_name(frame: FrameType | None) -> str | None:
    """What the log calls the plugin's code that runs in this frame, None if it is none.

    The frames of a coroutine that runs are on the stack, those of one that waits are not.
    """
    while frame is not None:
        if frame.f_code is contained.__code__:
            name: str = frame.f_locals["name"]()
            return name
        frame = frame.f_back
    return None
