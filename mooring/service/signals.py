"""Stopping when the operator says so."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ASKING = frozenset({signal.SIGINT, signal.SIGTERM})
"""The signals that ask for a stop."""


@contextmanager
def stopping_on_signals(
    stop: Callable[[], None], reload: Callable[[], None], at_once: Callable[[], None], waker: socket.socket
) -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM calls `at_once` wherever the main thread is, and `stop` on the running loop.

    SIGHUP calls `reload` there, unless it says that the terminal of the process is gone: then it is like those two. Where it was ignored, as
    by `nohup`, it stays so.

    A second one does what it does to any program: it ends it. The numbers of signals are written into `waker` the moment they
    come. Afterwards everything is as before. Outside of the main thread, where Python knows no signals, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    # Not the loop's own add_signal_handler: nothing of it happens while the loop is blocked.

    def asked(number: int, frame: FrameType | None) -> None:
        for each in ASKING:
            signal.signal(each, signal.SIG_DFL)
        at_once()
        loop.call_soon_threadsafe(stop)

    had_terminal = os.isatty(0)

    def hung_up(number: int, frame: FrameType | None) -> None:
        if had_terminal and not os.isatty(0):
            asked(number, frame)
        else:
            loop.call_soon_threadsafe(reload)

    before = {number: signal.signal(number, asked) for number in ASKING}
    hang_up = getattr(signal, "SIGHUP", None)  # which not every system has
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        before[hang_up] = signal.signal(hang_up, hung_up)
    others = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(others)
        for number, handler in before.items():
            signal.signal(number, handler)
