"""How a commit ends, for whoever handed it in: tasks of event loops await it, threads wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from threading import Event
from typing import Any

from storage.errors import StorageError

_Waiter = Event | tuple[asyncio.AbstractEventLoop, Callable[["Outcome"], object]]


class _Uncancellable(asyncio.Future[None]):
    """A task that is cancelled while it waits gets its CancelledError when the commit is over.

    Far cheaper than a shield, which takes a task or a second future for each commit.
    """

    def cancel(self, msg: object = None) -> bool:
        return False


class Outcome:
    """Open until the commit is over. Then awaiting it, and `wait`, return None or raise what made the commit fail.

    Has the questions of a future, may be asked in several places, and belongs to no event loop.
    """

    __slots__ = ("_failure", "_is_done", "_waiters", "then")

    def __init__(self) -> None:
        self._is_done = False
        self._failure: StorageError | None = None
        self._waiters: list[_Waiter] = []
        self.then: Callable[[StorageError | None, WakeUps], None] | None = None
        """Called with the failure, in the thread that settles, before anybody who waits is woken."""

    def done(self) -> bool:
        return self._is_done

    def exception(self) -> StorageError | None:
        """Why the commit failed, None if it was made. Raises asyncio.InvalidStateError before it is over."""
        if not self._is_done:
            raise asyncio.InvalidStateError("the commit is not over yet")
        return self._failure

    def add_done_callback(self, callback: Callable[[Outcome], object]) -> None:
        """Call it when the commit is over, soon if it is already, on the event loop that runs here."""
        loop = asyncio.get_running_loop()
        if not self._wait_as((loop, callback)):
            loop.call_soon(callback, self)

    def __await__(self) -> Generator[Any, None, None]:
        yield from self.end().__await__()
        if self._failure is not None:
            raise self._failure

    async def end(self) -> None:
        """Wait until it is over, whatever its end."""
        if not self._is_done:
            loop = asyncio.get_running_loop()
            future = _Uncancellable(loop=loop)
            if self._wait_as((loop, lambda _: future.set_result(None))):
                await future

    def wait(self, timeout: float | None = None) -> None:
        """The same as awaiting, for threads. Raises TimeoutError if it is not over in so many seconds."""
        if not self.wait_for_end(timeout):
            raise TimeoutError(f"the commit was not over within {timeout} seconds")
        if self._failure is not None:
            raise self._failure

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait in a thread until it is over, whatever its end; says whether it is."""
        if self._is_done:
            return True
        event = Event()
        return not self._wait_as(event) or event.wait(timeout)

    def settle(self, failure: StorageError | None, wake_ups: WakeUps) -> None:
        """Called once, by who knows how it ended."""
        if self.then is not None:
            self.then(failure, wake_ups)
        self._failure = failure
        self._is_done = True
        wake_ups.add(self, self._waiters)

    def _wait_as(self, waiter: _Waiter) -> bool:
        """Whether it will be woken; it is not if the commit is over."""
        waiters = self._waiters
        if self._is_done:
            return False
        waiters.append(waiter)
        if self._is_done:  # it ended in between; either it is still in the list, or it has been taken out to be woken
            with suppress(ValueError):
                waiters.remove(waiter)
                return False
        return True


class WakeUps:
    """Wakes those who wait for several outcomes with one call into each event loop."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Callable[[Outcome], object], Outcome]]] = {}

    def add(self, outcome: Outcome, waiters: list[_Waiter]) -> None:
        """Takes the waiters out of the list one by one, as others may put some in at the same moment."""
        while waiters:
            waiter = waiters.pop(0)
            if isinstance(waiter, Event):
                self._events.append(waiter)
            else:
                self._by_loop.setdefault(waiter[0], []).append((waiter[1], outcome))

    def send(self) -> None:
        for event in self._events:
            event.set()
        for loop, callbacks in self._by_loop.items():
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_call, loop, callbacks)


def _call(loop: asyncio.AbstractEventLoop, callbacks: list[tuple[Callable[[Outcome], object], Outcome]]) -> None:
    for callback, outcome in callbacks:
        loop.call_soon(callback, outcome)
