"""Ending code of a plugin that blocks the event loop, from another thread."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType

from mooring.errors import HandlerBlocked

_FRAMEWORK = ("mooring", "storage")
_DEBUGGERS = frozenset({"bdb", "pdb"})


class Interrupter:
    """Raises HandlerBlocked in the thread in which it is made, if it is code of a plugin that runs there, and ran there already the last time.

    A loop that stood still for another reason, as on a log that nobody reads, goes on with code that has only just begun.

    In the main thread it comes by a signal, which also ends a system call (`time.sleep`, a read). SIGURG is ignored by
    whoever does not handle it, and nothing else sends it; Go preempts its goroutines by it for the same reason. In other threads, and
    where there is no such signal, the exception is raised at the next step of the interpreter.
    """

    def __init__(self, plugin_modules: Callable[[], Iterable[str]]) -> None:
        self._plugin_modules = plugin_modules
        self._thread = threading.get_ident()
        self._seen: FrameType | None = None
        """The plugin's code that ran there at the last look."""
        self._wanted: FrameType | None = None
        """That which is to be ended."""
        self._by_signal = hasattr(signal, "SIGURG") and threading.current_thread() is threading.main_thread()
        self._before = signal.signal(signal.SIGURG, self._raise) if self._by_signal else None

    def close(self) -> None:
        """Let go of the signal."""
        if self._by_signal:
            signal.signal(signal.SIGURG, self._before or signal.SIG_DFL)

    def interrupt(self) -> None:
        """Try it once. From any other thread."""
        # The other thread does not run while this one looks and decides: there is no wait in between.
        seen, self._seen = self._seen, self._of_plugin(sys._current_frames().get(self._thread))
        if self._seen is None or self._seen is not seen:
            return
        self._wanted = seen
        if self._by_signal:
            signal.pthread_kill(self._thread, signal.SIGURG)
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(HandlerBlocked))

    def withdraw(self) -> None:
        """It has gone on by itself; a signal that is still on its way does nothing."""
        self._seen = self._wanted = None

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self._wanted is not None and self._of_plugin(frame) is self._wanted:
            self._wanted = None
            raise HandlerBlocked

    def _of_plugin(self, frame: FrameType | None) -> FrameType | None:
        """Where a plugin's code begins that runs, or has called what runs; None for the framework, which an exception could leave half done."""
        modules = tuple(self._plugin_modules())
        found = None
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            if name in _DEBUGGERS:
                return None  # somebody looks at it
            if _is_in(name, modules):
                found = frame
            elif _is_in(name, _FRAMEWORK):
                return found
            frame = frame.f_back
        return found


def _is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
