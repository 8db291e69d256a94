"""Notices when something blocks the event loop, and names it while it still does."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

from mooring.channels.turn import Turn

log = logging.getLogger(__name__)

_STACK_LINES = 6


class Watchdog:
    """A thread that asks the loop for an answer again and again, and looks at its stack when none comes in time."""

    def __init__(self, limit: float, on_blocked: Callable[[], None]) -> None:
        self._limit = limit
        self._on_blocked = on_blocked
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop, which runs in this thread."""
        loop, watched = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(loop, watched), name="mooring-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self, loop: asyncio.AbstractEventLoop, watched: int) -> None:
        while not self._ended.wait(self._limit):
            answered = threading.Event()
            try:
                loop.call_soon_threadsafe(answered.set)
            except RuntimeError:  # the loop is closed
                return
            if answered.wait(self._limit):
                continue
            self._report(sys._current_frames().get(watched))
            while not answered.wait(self._limit) and not self._ended.is_set():
                pass  # one block, one report

    def _report(self, frame: FrameType | None) -> None:
        if frame is None:
            return
        self._on_blocked()
        stack = "".join(traceback.format_stack(frame)[-_STACK_LINES:])
        log.warning(
            "the event loop has been blocked for more than %.1f s by %s; nobody is served meanwhile. Blocking code belongs into a `def` handler.\n%s",
            self._limit,
            _culprit(frame),
            stack,
        )


def _culprit(frame: FrameType | None) -> str:
    """The turn that is on the stack: the frames of a coroutine that runs are there, those of one that waits are not."""
    while frame is not None:
        turn = frame.f_locals.get("turn")
        if isinstance(turn, Turn):
            return f"{turn.handler or turn.work or 'a handler'} in channel {turn.channel_id}"
        frame = frame.f_back
    return "code outside of the channels"
