"""Who is connected to which of several processes that serve one channel."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from mooring.channels.members import Members

REFRESH_SECONDS = 20.0
"""How often a process repeats that its members are still there."""

GONE_SECONDS = 3 * REFRESH_SECONDS
"""Silence after which a process counts as dead, and its members as away."""


@dataclass
class _Process:
    """Another process, as far as it was heard."""

    at: float | None = None
    """When it spoke last; None if it said that nobody is connected to it."""
    members: set[str] = field(default_factory=set)
    is_alive: bool = False


@dataclass
class Announcement:
    """What one commit tells the others."""

    came: list[str]
    went: list[str]
    is_anew: bool
    """Whether the others know nothing else of this process: `came` are all who are connected to it."""
    dead: list[str]
    """Processes that are no more."""
    read_up_to: int
    at: float


class Presence:
    """An entry for each process in a dict of the channel's storage, and one for each member who is connected to it.

    So whoever comes or goes is one entry. A process that was killed is passed over after a minute.
    """

    def __init__(self, stored: MutableMapping[str, Any], members: Members) -> None:
        self._stored = stored
        self._members = members
        self._key = secrets.token_hex(8)
        self._said: set[str] = set()
        self._said_at = 0.0
        self._read_up_to = members.comings.number
        self._others: dict[str, _Process] = {}

    @property
    def key(self) -> str:
        """What this process is called."""
        return self._key

    def is_alive(self, key: str, now: float) -> bool:
        """Whether this process, or another that has members here and was heard of lately, is called so."""
        process = self._others.get(key)
        return key == self._key or (process is not None and process.at is not None and now - process.at <= GONE_SECONDS)

    # -- what the others are told ----------------------------------------------------------------------------------------

    def is_due(self, now: float) -> bool:
        """Whether the others have to be told."""
        return self._members.comings.number != self._read_up_to or (bool(self._said) and now - self._said_at >= REFRESH_SECONDS)

    def announce(self, now: float) -> Announcement:
        """Tell who came and went here, and take out processes that are no more. Inside a transaction."""
        # Others take out a process that was silent for too long; one that was only late tells everything again.
        is_anew = self._key not in self._stored
        said = set[str]() if is_anew else self._said
        changed = None if is_anew else self._members.comings.since(self._read_up_to)
        if changed is None:
            changed = self._members.here() | said
        came = [member_id for member_id in changed if self._members.is_here(member_id) and member_id not in said]
        went = [member_id for member_id in changed if not self._members.is_here(member_id) and member_id in said]
        dead = [key for key, process in self._others.items() if process.at is not None and now - process.at > GONE_SECONDS]
        for member_id in came:
            self._stored[_entry(self._key, member_id)] = True
        gone = [_entry(self._key, member_id) for member_id in went]
        gone += [entry for key in dead for entry in (key, *(_entry(key, member_id) for member_id in self._others[key].members))]
        if len(said) + len(came) > len(went):
            self._stored[self._key] = now
        else:
            gone.append(self._key)
        for entry in gone:
            self._stored.pop(entry, None)
        return Announcement(came, went, is_anew, dead, self._members.comings.number, now)

    def announced(self, told: Announcement) -> None:
        """What was told is committed."""
        if told.is_anew:
            self._said.clear()
        self._said.update(told.came)
        self._said.difference_update(told.went)
        self._said_at, self._read_up_to = told.at, told.read_up_to
        for key in told.dead:
            self._forget(key)

    # -- what the others told --------------------------------------------------------------------------------------------

    def catch_up(self, keys: Iterable[str] | None, now: float) -> None:
        """Take over what the others told under these keys, or, with None, under any. Inside a transaction."""
        if keys is None:
            for key in list(self._others):
                self._forget(key)
        for entry in list(self._stored) if keys is None else keys:
            key, is_member, member_id = entry.partition("/")
            if key == self._key:
                continue
            process = self._others.setdefault(key, _Process())
            if not is_member:
                process.at = self._stored.get(entry)
            else:
                (process.members.add if entry in self._stored else process.members.discard)(member_id)
                self._note([member_id])
        for process in self._others.values():
            is_alive = process.at is not None and now - process.at <= GONE_SECONDS
            if is_alive != process.is_alive:
                process.is_alive = is_alive
                self._note(process.members)
        self._others = {key: process for key, process in self._others.items() if process.at is not None or process.members}

    def _forget(self, key: str) -> None:
        process = self._others.pop(key, None)
        self._note(process.members if process else ())

    def _note(self, member_ids: Collection[str]) -> None:
        alive = [process.members for process in self._others.values() if process.is_alive]
        for member_id in member_ids:
            self._members.set_remote_online(member_id, any(member_id in members for members in alive))


def _entry(key: str, member_id: str) -> str:
    return f"{key}/{member_id}"
