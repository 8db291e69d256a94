"""Who wants to hear nothing of whom: kept by member, and asked for each message, of which it costs a look at who sent it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableMapping, Sequence
from typing import Any

from mooring.events import Down, copy_with
from mooring.kinds import MESSAGE_DOWN

MOST_IGNORED = 500
"""So many one member can ignore."""


class Ignores:
    """Whom the members of one channel ignore, as the last commit left it: a list of ids for each in a dict of the channel's storage."""

    def __init__(self, stored: MutableMapping[str, Any]) -> None:
        self._stored = stored
        self._ignored: dict[str, frozenset[str]] = {}
        self._ignoring: dict[str, set[str]] = {}
        self.catch_up(None)

    def of(self, member_id: str) -> Collection[str]:
        """Whom a member ignores."""
        return self._ignored.get(member_id, frozenset())

    def in_turn(self, member_id: str) -> list[str]:
        """The same as the turn in hand has it."""
        return list(self._stored.get(member_id, ()))

    def put(self, member_id: str, ignored: Iterable[str]) -> None:
        """Let a member ignore these from now on. Inside a transaction; `catch_up` after its commit."""
        kept = sorted(set(ignored))
        if kept:
            self._stored[member_id] = kept
        else:
            self._stored.pop(member_id, None)

    def catch_up(self, keys: Iterable[str] | None) -> None:
        """Take over what was committed under these ids, by this process or another; under any if they are None."""
        for member_id in list({*self._ignored, *self._stored}) if keys is None else keys:
            for sender in self._ignored.pop(member_id, ()):
                self._ignoring[sender].discard(member_id)
                if not self._ignoring[sender]:
                    del self._ignoring[sender]
            ignored = frozenset(self._stored.get(member_id, ()))
            if ignored:
                self._ignored[member_id] = ignored
            for sender in ignored:
                self._ignoring.setdefault(sender, set()).add(member_id)

    def apply(self, downs: Sequence[Down]) -> Sequence[Down]:
        """The same downs, with the messages of those who are ignored not for those who ignore them."""
        if not self._ignoring or not any(self._hidden_from(down) for down in downs):
            return downs
        return [self._without(down) for down in downs]

    def _hidden_from(self, down: Down) -> Collection[str]:
        return self._ignoring.get(down.body.sender or "", ()) if down.type == MESSAGE_DOWN else ()

    def _without(self, down: Down) -> Down:
        hidden = self._hidden_from(down)
        if not hidden:
            return down
        if down.recipients is None:
            return copy_with(down, besides=down.besides | frozenset(hidden))
        return copy_with(down, recipients=down.recipients - frozenset(hidden))
