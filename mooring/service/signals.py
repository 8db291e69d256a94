"""Stopping when the operator says so."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM call `stop` on the running loop; afterwards they do what they did before."""
    loop = asyncio.get_running_loop()
    with ExitStack() as undo:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, stop)
                undo.callback(loop.remove_signal_handler, number)
            except NotImplementedError:  # as on Windows
                before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
                undo.callback(signal.signal, number, before)
        yield
