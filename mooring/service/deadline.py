"""The time that a stop may take."""

from __future__ import annotations

import asyncio

HOOKS = 0.4
STORAGES = 0.8
"""Parts of the second after `stop_timeout` in which plugins end, and in which storages are closed."""

_LEAST = 0.02


class Deadline:
    """What the steps of a stop share. Made on the event loop, when `gone` of its seconds are over."""

    def __init__(self, seconds: float, gone: float = 0.0) -> None:
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + seconds - gone

    def left(self, more: float = 0.0) -> float:
        """Seconds until `more` seconds after the end; a moment at least, for what only needs to be asked."""
        return max(_LEAST, self._end + more - self._clock())
