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
    """Raises HandlerBlocked in the thread in which it is made, if it is code of a plugin that runs there.

    In the main thread it comes by a signal, which also ends a system call (`time.sleep`, a read). SIGURG is ignored by
    whoever does not handle it, and nothing else sends it; Go preempts its goroutines by it for the same reason. In other threads, and
    where there is no such signal, the exception is raised at the next step of the interpreter.
    """

    def __init__(self, plugin_modules: Callable[[], Iterable[str]]) -> None:
        self._plugin_modules = plugin_modules
        self._thread = threading.get_ident()
        self._is_wanted = False
        self._by_signal = hasattr(signal, "SIGURG") and threading.current_thread() is threading.main_thread()
        self._before = signal.signal(signal.SIGURG, self._raise) if self._by_signal else None

    def close(self) -> None:
        """Let go of the signal."""
        if self._by_signal:
            signal.signal(signal.SIGURG, self._before or signal.SIG_DFL)

    def interrupt(self) -> None:
        """Try it once. From any other thread."""
        self._is_wanted = True
        if self._by_signal:
            signal.pthread_kill(self._thread, signal.SIGURG)
            return
        # The other thread does not run while this one looks and decides: there is no wait in between.
        if self._is_of_plugin(sys._current_frames().get(self._thread)):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(HandlerBlocked))

    def withdraw(self) -> None:
        """It has gone on by itself; a signal that is still on its way does nothing."""
        self._is_wanted = False

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self._is_wanted and self._is_of_plugin(frame):
            self._is_wanted = False
            raise HandlerBlocked

    def _is_of_plugin(self, frame: FrameType | None) -> bool:
        """Whether a plugin's code runs, or what that has called; not the framework, which an exception could leave half done."""
        modules = tuple(self._plugin_modules())
        while frame is not None:
            name = str(frame.f_globals.get("__name__", ""))
            if name in _DEBUGGERS:
                return False  # somebody looks at it
            if _is_in(name, modules):
                return True
            if _is_in(name, _FRAMEWORK):
                return False
            frame = frame.f_back
        return False


def _is_in(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)
