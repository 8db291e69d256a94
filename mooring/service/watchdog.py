"""Notices when something blocks the event loop, names it while it still does, and ends it when it does not end."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from mooring.containment import find_name
from mooring.service.interrupt import Interrupter
from mooring.service.signals import ASKING

log = logging.getLogger(__name__)

BLOCKED = 3
"""The exit code of a process that had to be ended."""

_STDERR = 2
_END = b"\0"
_STACK_LINES = 6
_TRIES_SECONDS = 5.0
"""How long an interruption is tried before the process is ended."""
_LAST_WORDS = 0.3


@dataclass(frozen=True)
class Seconds:
    """Seconds: until what blocks the loop is named, until it is interrupted, and for a stop."""

    naming: float
    handler: float
    stop: float


class Watchdog:
    """A thread that asks the loop for an answer again and again, and looks at its stack when none comes in time.

    `report` is told what the operator should know, `on_blocked` how often it happens. The process is ended only if it is said to be
    the service's own (`own_process`).
    """

    def __init__(
        self, patience: Seconds, plugin_modules: Callable[[], Iterable[str]], on_blocked: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        self._patience = patience
        self._plugin_modules = plugin_modules
        self._on_blocked = on_blocked
        self._report = report
        self._is_own = False
        self._stop_asked: float | None = None
        self._signals = 0
        self._thread: threading.Thread | None = None
        self._interrupter: Interrupter | None = None
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    def start(self) -> None:
        """Watch the running loop, which runs in this thread, if that is not done yet."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._sockets is None:
            self._sockets = socket.socketpair()
            for each in self._sockets:
                each.setblocking(False)
            self._interrupter = Interrupter(self._plugin_modules)
        loop, watched = asyncio.get_running_loop(), threading.get_ident()
        self._thread = threading.Thread(target=self._watch, args=(loop, watched, self._sockets[0]), name="mooring-watchdog", daemon=True)
        self._thread.start()

    async def keep(self) -> None:
        """See to it that the thread lives, until cancelled. Raises RuntimeError if it has died; called again it starts another."""
        self.start()
        while self._thread is not None and self._thread.is_alive():  # noqa: ASYNC110 - a thread that dies sets no event
            await asyncio.sleep(1)
        raise RuntimeError("its thread has ended")

    def stop(self) -> None:
        """Look no more, unless the process is the service's own."""
        if self._is_own or self._sockets is None or self._interrupter is None:
            return
        thread, self._thread = self._thread, None
        with suppress(BlockingIOError):
            self._sockets[1].send(_END)
        if thread is not None:
            thread.join()
        self._interrupter.close()
        for each in self._sockets:
            each.close()
        self._sockets = self._interrupter = None

    def own_process(self) -> socket.socket:
        """Watch until `disown_process`, and end the process if nothing else helps: a loop that cannot be interrupted, a stop that takes too long.

        Returns where the numbers of signals are to be written.
        """
        self._is_own = True
        self._stop_asked, self._signals = None, 0
        self.start()
        return self._sockets[1] if self._sockets is not None else socket.socket()

    def disown_process(self) -> None:
        """The service has come to its end, and the process goes on with something else."""
        self._is_own = False
        faulthandler.cancel_dump_traceback_later()
        self.stop()

    def stop_asked(self) -> None:
        """The operator wants the service to stop; from here on its time counts. From any thread and from signal handlers."""
        if self._stop_asked is None:
            self._stop_asked = time.monotonic()

    @property
    def since_stop_asked(self) -> float:
        """Seconds; 0 if it was not asked."""
        return 0.0 if self._stop_asked is None else time.monotonic() - self._stop_asked

    # -- in the thread ---------------------------------------------------------------------------------------------------

    def _watch(self, loop: asyncio.AbstractEventLoop, watched: int, woken: socket.socket) -> None:
        patience, interrupter = self._patience, self._interrupter
        step = min(patience.naming / 2, 0.5)
        answered, since, is_named = threading.Event(), 0.0, False
        answered.set()
        while interrupter is not None:
            if answered.is_set():
                interrupter.withdraw()
                answered, since, is_named = threading.Event(), time.monotonic(), False
                self._arm()
                try:
                    loop.call_soon_threadsafe(answered.set)
                except RuntimeError:  # the loop is closed
                    return
            if select.select([woken], [], [], 0.05 if self._stop_asked is not None else step)[0] and not self._read(woken, loop):
                return
            self._check_stop()
            blocked = time.monotonic() - since
            if answered.is_set() or blocked < patience.naming:
                continue
            if not is_named:
                is_named = True
                self._name(sys._current_frames().get(watched))
            if blocked > patience.handler or self.since_stop_asked > patience.stop:
                interrupter.interrupt()
            if self._is_own and blocked > patience.handler + _TRIES_SECONDS:
                _end_process(f"the event loop has been blocked for {blocked:.0f} s and could not be interrupted; the process ends")

    def _read(self, woken: socket.socket, loop: asyncio.AbstractEventLoop) -> bool:
        """Take in the numbers of signals; false if the thread is to end."""
        numbers = woken.recv(4096)
        asking = sum(number in ASKING for number in numbers)
        if asking:
            self._signals += asking
            if self._signals > 1:
                _end_process("a second signal ends the process at once")
            self.stop_asked()
            # The handler of the signal runs when the main thread runs Python code again, which it does now if it only waits.
            loop.call_soon_threadsafe(lambda: None)
        return _END not in numbers

    def _check_stop(self) -> None:
        if self._is_own and self.since_stop_asked > self._patience.stop + 1 - _LAST_WORDS / 2:
            _end_process(f"the stop took longer than stop_timeout ({self._patience.stop:g} s); what is acknowledged is kept")

    def _arm(self) -> None:
        """Code in C may keep this thread from running, too; then only a thread that is no Python's can end the process."""
        if self._is_own:
            faulthandler.dump_traceback_later(self._patience.handler + 2 * _TRIES_SECONDS, exit=True, file=_STDERR)

    def _name(self, frame: FrameType | None) -> None:
        if frame is None:
            return
        self._on_blocked()
        culprit = find_name(frame)
        if culprit is not None:
            self._report(f"the event loop was blocked for more than {self._patience.naming:g} s by {culprit}")
        stack = "".join(traceback.format_stack(frame)[-_STACK_LINES:])
        log.warning(
            "the event loop has been blocked for more than %.1f s by %s; nobody is served meanwhile. Blocking code belongs into a `def` handler.\n%s",
            self._patience.naming,
            culprit or "code outside of the channels",
            stack,
        )


def _end_process(why: str) -> None:
    # In a thread of its own: whatever blocks the loop may hold the lock of the log.
    words = threading.Thread(target=log.critical, args=(why,), daemon=True)
    words.start()
    words.join(_LAST_WORDS / 2)
    os._exit(BLOCKED)
