"""Who holds up the event loop: a coroutine is watched while it runs, and named in the log if it does not let go."""

from __future__ import annotations

import logging
import time
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")

PATIENCE = 0.25
"""Seconds between two awaits from which on a handler is named; members of all channels notice such a pause."""


class Watched(Coroutine[Any, Any, T]):
    """A coroutine that logs a warning for each of its steps that keeps the event loop for longer than `patience`."""

    def __init__(self, inner: Coroutine[Any, Any, T], name: str, patience: float = PATIENCE) -> None:
        self._inner = inner
        self._name = name
        self._patience = patience

    def send(self, value: Any) -> Any:
        """Run to the next await, and look at the time it took."""
        begun = time.perf_counter()
        try:
            return self._inner.send(value)
        finally:
            self._judge(time.perf_counter() - begun)

    def throw(self, *exception: Any) -> Any:
        """Pass an exception in."""
        return self._inner.throw(*exception)

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def __iter__(self) -> Watched[T]:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def _judge(self, seconds: float) -> None:
        if seconds > self._patience:
            logger.warning(
                "%s blocked the event loop, and with it every channel, for %.2f s; write it as a plain def, which runs in a thread",
                self._name,
                seconds,
            )
