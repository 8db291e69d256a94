"""Cooldowns, kept in the channel's storage."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from mooring.commands.people import Member
from mooring.commands.rules import Cooldown
from mooring.durations import format_duration
from mooring.errors import CommandError


class Cooldowns:
    """The rests of all commands of one channel: when each was used last."""

    def __init__(self, kept: MutableMapping[str, Any], now: float) -> None:
        self._kept = kept
        self._now = now

    def begin(self, command: str, cooldowns: Sequence[Cooldown], member: Member) -> None:
        """Note a use. Raises CommandError, which says how long, if the command still rests."""
        for cooldown in cooldowns:
            left = self._left(_key(command, cooldown, member), cooldown)
            if left > 0:
                whom = "you" if cooldown.scope == "member" else "everybody here"
                raise CommandError(f"/{command} rests for {whom}, {format_duration(left)} from now.")
        for cooldown in cooldowns:
            self._kept[_key(command, cooldown, member)] = {"used": self._now}

    def _left(self, key: str, cooldown: Cooldown) -> float:
        used = self._kept.get(key, {}).get("used")
        # A use that lies in the future was noted before the clock was set back; nobody shall wait that out.
        return 0 if used is None or used > self._now else used + cooldown.seconds - self._now


def _key(command: str, cooldown: Cooldown, member: Member) -> str:
    return f"{command}/{member.id}" if cooldown.scope == "member" else command
