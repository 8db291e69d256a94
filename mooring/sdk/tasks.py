"""Tasks that bots start: they go on when the event in which they were started is over, as under the SDK, and end with the service.

Elsewhere code of an event that is over gets an error from every dict, as nothing would keep together what it does there. Bots of the SDK mean
single writes, and have nothing else; so their tasks are outside of the event from its end on, and each write is a commit of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from mooring.channels.turn import current_turn
from mooring.clock import in_hand
from mooring.containment import Guarded, plugin_task
from storage.dicts.scope import leave_ended

_bot: ContextVar[BotTasks | None] = ContextVar("mooring_bot", default=None)
"""Whose code runs, where that is known."""


class BotTasks:
    """The tasks of one bot."""

    def __init__(self, service: object) -> None:
        self._service = service
        self._running: WeakKeyDictionary[asyncio.Task[Any], _Outliving | None] = WeakKeyDictionary()

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """From here on tasks of the bot are known."""
        factory = loop.get_task_factory() or plugin_task

        def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> Any:
            turn = current_turn()
            if turn is not None and turn.service is self._service and asyncio.iscoroutine(coroutine):
                outliving = _Outliving(coroutine)
                made = asyncio.Task(outliving, loop=loop, **named)
                self._running[made] = outliving
                return made
            task: Any = factory(loop, coroutine, **named)
            if _bot.get() is self:
                self._running[task] = None
            return task

        loop.set_task_factory(make_task)

    @contextmanager
    def code_of_bot(self) -> Iterator[None]:
        """What is started inside is the bot's."""
        token = _bot.set(self)
        try:
            yield
        finally:
            _bot.reset(token)

    async def end(self, patience: float) -> None:
        """Cancel those that are not part of an event in hand, and wait until they have ended."""
        left = [task for task, outliving in self._running.items() if not task.done() and (outliving is None or outliving.is_outside)]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=patience)


class _Outliving(Guarded):
    """A coroutine that leaves its event before its first step after the end of that."""

    __slots__ = ("_turn",)

    def __init__(self, coroutine: Any) -> None:
        super().__init__(coroutine)
        self._turn = current_turn()

    @property
    def is_outside(self) -> bool:
        """Whether its event is over."""
        return self._turn is None or not self._turn.open

    def send(self, value: Any) -> Any:
        self._leave_event_that_is_over()
        return super().send(value)

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Any:
        self._leave_event_that_is_over()
        return super().throw(kind, value, trace)

    def _leave_event_that_is_over(self) -> None:
        leave_ended()
        if self.is_outside and in_hand.get() is self._turn:
            in_hand.set(None)
