"""The threads that work for engines."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, current_thread


class Worker(Thread):
    """A daemon: closing what they work for ends them, and the interpreter closes engines before it ends."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(target=work, name=name, daemon=True)


def in_worker() -> bool:
    """Whether the calling thread is one that somebody may be waiting for while closing an engine."""
    return isinstance(current_thread(), Worker)
