"""The scheduler of bots: APScheduler's for asyncio, with jobs that run outside of every event."""

from __future__ import annotations

import contextvars
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler


class Scheduler(AsyncIOScheduler):  # type: ignore[misc]
    """A job that is added inside of an event would otherwise run in that event's context, which is over by then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._outside = contextvars.copy_context()

    def wakeup(self) -> None:
        self._outside.copy().run(super().wakeup)

    def _start_timer(self, wait_seconds: float | None) -> None:
        self._outside.copy().run(super()._start_timer, wait_seconds)
