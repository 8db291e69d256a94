"""Who is connected to which of several processes that serve one channel."""

from __future__ import annotations

import secrets
from collections.abc import MutableMapping
from typing import Any

REFRESH_SECONDS = 20.0
"""How often a process repeats that its members are still there."""

_GONE_SECONDS = 3 * REFRESH_SECONDS
"""Silence after which a process counts as dead, and its members as away."""


class Presence:
    """One entry a process in a dict of the channel's storage; that of a process that was killed is passed over after a minute."""

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self._stored = stored
        self._key = secrets.token_hex(8)
        self._said: list[str] | None = None
        self._said_at = 0.0

    def is_due(self, here: set[str], now: float) -> bool:
        """Whether the others have to be told."""
        return sorted(here) != (self._said or []) or (bool(here) and now - self._said_at >= REFRESH_SECONDS)

    def say(self, here: set[str], now: float) -> None:
        """Tell who is connected here, and take out processes that are no more. Inside a transaction."""
        for key in [key for key, entry in self._stored.items() if now - entry["at"] > _GONE_SECONDS]:
            del self._stored[key]
        if here:
            self._stored[self._key] = {"at": now, "members": sorted(here)}
        else:
            self._stored.pop(self._key, None)

    def said(self, here: set[str], now: float) -> None:
        """What was said is committed."""
        self._said, self._said_at = sorted(here), now

    def remote_online(self, now: float) -> set[str]:
        """Who is connected to the other processes."""
        entries = (entry for key, entry in self._stored.items() if key != self._key and now - entry["at"] <= _GONE_SECONDS)
        return {member_id for entry in entries for member_id in entry["members"]}
