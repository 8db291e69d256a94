"""Keeping the list of members cheap in large channels.

Who is there, with all bars, goes to everybody whenever it changes: in a channel of 500, when all of them come back after a restart, that would be
500 times 500 lists of 500. But a list replaces the one before, so in a crowd it is enough to send the newest from time to time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mooring.events import Down

LINES_A_SECOND = 200_000
"""Lines of member lists (members shown, times members who see them) that one channel may send a second. Ten members never wait."""


class Throttle:
    """Sends updates of channels: at once where few watch, and where many do, the newest as often as is affordable. On the event loop."""

    def __init__(self, send: Callable[[str, Down], None]) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._free_at: dict[str, float] = {}
        self._held: dict[str, Down] = {}

    def offer(self, channel_id: str, down: Down, lines: int) -> None:
        """Send `down` now, or later if nothing newer comes; it costs `lines`."""
        if channel_id in self._held:
            self._held[channel_id] = down
        elif self._loop.time() >= self._free_at.get(channel_id, 0):
            self._free_at[channel_id] = self._loop.time() + lines / LINES_A_SECOND
            self._send(channel_id, down)
        else:
            self._held[channel_id] = down
            self._loop.call_at(self._free_at[channel_id], self._release, channel_id, lines)

    def _release(self, channel_id: str, lines: int) -> None:
        self._free_at[channel_id] = self._loop.time() + lines / LINES_A_SECOND
        self._send(channel_id, self._held.pop(channel_id))
