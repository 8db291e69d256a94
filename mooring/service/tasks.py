"""Work that runs beside the channels and ends with the service."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """Tasks that somebody owns: a failure is logged, and none outlives `stop`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()
        self._endless: set[asyncio.Task[None]] = set()
        # Not the context of whoever spawns: that may be inside a transaction, and the task must not be.
        self._context = contextvars.copy_context()

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str, endless: bool = False) -> None:
        """Run `work` as a task; `endless` if it goes on until it is cancelled. On the event loop."""
        task = asyncio.get_running_loop().create_task(work, name=name, context=self._context.copy())
        self._running.add(task)
        if endless:
            self._endless.add(task)
        task.add_done_callback(self._ended)

    async def settle(self) -> None:
        """Wait until all have ended that end by themselves, and those that they spawned."""
        while pending := self._running - self._endless - {asyncio.current_task()}:
            await asyncio.wait(pending)

    async def stop(self, patience: float) -> None:
        """Cancel all of them and wait until they have ended, up to `patience` seconds."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running), timeout=patience)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._endless.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
