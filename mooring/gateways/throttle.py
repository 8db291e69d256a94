"""Keeping the list of characters cheap in large channels.

What changes in it goes to everybody. In a channel of 500 who all come back after a restart, that would be 500 times 500 writes within
seconds; but several changes can be told as one, so in a crowd it is enough to send from time to time what changed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from mooring.channels.character_lists import FIRST
from mooring.events import CharacterChanges, Down, copy_with
from mooring.kinds import CHARACTER_KINDS, DOWN_KINDS
from mooring.protocols import Service

LINES_A_SECOND = 200_000
"""What one channel may send a second: characters shown, times members who see them, a write to a member counted like ten of them.
Ten members never wait, five hundred for a fortieth of a second."""

_LINES_OF_A_WRITE = 10


class Throttle:
    """Sends what shows the characters: at once where few watch, and where many do, as often as is affordable. On the event loop.

    `send` passes a down on, and `watching` tells how many of a channel's members the gateway serves now.
    """

    def __init__(self, service: Service[Any], send: Callable[[str, Down], None], watching: Callable[[str], int]) -> None:
        self._service = service
        self._send = send
        self._watching = watching
        self._loop = asyncio.get_running_loop()
        self._free_at: dict[str, float] = {}
        self._held: dict[str, list[Down]] = {}

    def offer(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Send downs of the kinds that show characters, now or later, when what comes meanwhile may be told along with them."""
        if any(down.recipients is not None for down in downs):
            # What some are shown follows on what all were shown before.
            self._pass_on(channel_id, [*self._held.pop(channel_id, ()), *downs])
        elif channel_id in self._held:
            self._held[channel_id] += downs
        elif self._loop.time() >= self._free_at.get(channel_id, 0):
            self._pass_on(channel_id, downs)
        else:
            self._held[channel_id] = list(downs)
            self._loop.call_at(self._free_at[channel_id], self._release, channel_id)

    def _release(self, channel_id: str) -> None:
        if channel_id in self._held:
            self._pass_on(channel_id, self._in_short(channel_id, self._held.pop(channel_id)))

    def _pass_on(self, channel_id: str, downs: Sequence[Down]) -> None:
        lines = self._watching(channel_id) * sum(_LINES_OF_A_WRITE + _length(down) for down in downs)
        self._free_at[channel_id] = self._loop.time() + lines / LINES_A_SECOND
        for down in downs:
            self._send(channel_id, down)

    def _in_short(self, channel_id: str, downs: Sequence[Down]) -> list[Down]:
        short = coalesce(downs)
        if all(_length(down) <= FIRST for down in short):
            return short
        # More than the beginning of the list: that is shorter, and all that a newcomer sees.
        return [down for down in self._service.current(channel_id, "") if down.type in CHARACTER_KINDS]


def coalesce(downs: Sequence[Down]) -> list[Down]:
    """Fewer downs, for the same members, that show the same in the end."""
    by_kind: dict[str, list[Down]] = {}
    for down in downs:
        kind = DOWN_KINDS[down.type]
        if kind.merge is not None:
            by_kind.setdefault(down.type, []).append(down)
            continue
        by_kind[down.type] = [down]
        for name in [name for name in by_kind if DOWN_KINDS[name].changes == down.type]:
            del by_kind[name]
    return [_merged(each) for each in by_kind.values()]


def _merged(downs: Sequence[Down]) -> Down:
    merge = DOWN_KINDS[downs[-1].type].merge
    return copy_with(downs[-1], body=merge([down.body for down in downs])) if merge is not None and len(downs) > 1 else downs[-1]


def _length(down: Down) -> int:
    body = down.body
    return len(body.changed) + len(body.removed) if isinstance(body, CharacterChanges) else len(body) if isinstance(body, list) else 0
