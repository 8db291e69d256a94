"""Cooldowns, kept in the channel's storage."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from mooring.commands.people import Member
from mooring.commands.rules import Cooldown
from mooring.durations import format_duration


class Cooldowns:
    """The rests of all commands of one channel: when each was used last, and who was told since."""

    def __init__(self, kept: MutableMapping[str, Any], now: float) -> None:
        self._kept = kept
        self._now = now

    def begin(self, command: str, cooldowns: Sequence[Cooldown], member: Member) -> str | None:
        """Note a use and return None; or, if the command still rests, return what to tell the member: `""` if told before."""
        for cooldown in cooldowns:
            key = _key(command, cooldown, member)
            left = self._left(key, cooldown)
            if left > 0:
                whom = "you" if cooldown.scope == "member" else "everybody here"
                return f"/{command} rests for {whom}, {format_duration(left)} from now." if self._tell(key, member) else ""
        for cooldown in cooldowns:
            self._kept[_key(command, cooldown, member)] = {"used": self._now, "told": []}
        return None

    def _left(self, key: str, cooldown: Cooldown) -> float:
        used = self._kept.get(key, {}).get("used")
        # A use that lies in the future was noted before the clock was set back; nobody shall wait that out.
        return 0 if used is None or used > self._now else used + cooldown.seconds - self._now

    def _tell(self, key: str, member: Member) -> bool:
        """Note that the member is told; False if that happened before."""
        entry = self._kept[key]
        if member.id in entry["told"]:
            return False
        self._kept[key] = {**entry, "told": [*entry["told"], member.id]}
        return True


def _key(command: str, cooldown: Cooldown, member: Member) -> str:
    return f"{command}/{member.id}" if cooldown.scope == "member" else command
