"""What a channel shows beside its messages, for those who come in later."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import msgspec

from mooring.events import Down
from mooring.kinds import DOWN_KINDS, MESSAGE_DOWN


class LatestUpdates:
    """The latest update of each kind in one channel: for everybody, and where somebody was shown something else, for that member.

    Where one process serves the channel, it lives in memory only. Updates are pictures of a state that somebody else keeps and
    draws again when a channel is set up or a member comes in; keeping the pictures too would write every picture into every
    commit. Where several do, there is a dict (`stored`) through which the pictures reach the members of all.
    """

    def __init__(self, stored: MutableMapping[str, Any] | None = None) -> None:
        self._stored = stored
        self._for_all: dict[str, Down] = {}
        self._for_one: dict[str, dict[str, Down]] = {}

    def accept(self, downs: Sequence[Down]) -> None:
        """Take over the updates among downs that were delivered."""
        for down in downs:
            if down.type == MESSAGE_DOWN:
                continue
            if down.recipients is None:
                self._for_all[down.type] = down
                self._for_one.pop(down.type, None)
            else:
                self._for_one.setdefault(down.type, {}).update(dict.fromkeys(down.recipients, down))

    def keep(self, downs: Sequence[Down]) -> None:
        """Write the updates among an event's downs, inside its transaction, if other processes have to see them."""
        if self._stored is None:
            return
        for down in downs:
            if down.type == MESSAGE_DOWN:
                continue
            picture = msgspec.to_builtins(down.body)
            if down.recipients is None:
                for key in [key for key in self._stored if key.startswith(f"{down.type}/")]:
                    del self._stored[key]
                self._stored[down.type] = picture
            else:
                for member_id in down.recipients:
                    self._stored[f"{down.type}/{member_id}"] = picture

    def drop(self, member_id: str) -> None:
        """Take out what was for one member only, inside the transaction in which the member leaves."""
        for key in list(self._stored or ()):
            if self._stored is not None and key.partition("/")[2] == member_id:
                del self._stored[key]

    def catch_up(self, channel_id: str, keys: Iterable[str] | None) -> list[Down]:
        """The updates that other processes committed under these keys, or, with None, all; inside a transaction."""
        stored = self._stored or {}
        downs = []
        for key in sorted(stored if keys is None else keys, key=lambda key: "/" in key):
            kind, _, member_id = key.partition("/")
            if key in stored and kind in DOWN_KINDS:
                body = None if stored[key] is None else msgspec.convert(stored[key], DOWN_KINDS[kind].body)
                downs.append(Down(kind, channel_id, body, frozenset({member_id}) if member_id else None))
        self.accept(downs)
        return downs

    def shown(self, kind: str, member_id: str) -> Down | None:
        """What this member was shown last of one kind."""
        return self._for_one.get(kind, {}).get(member_id) or self._for_all.get(kind)

    def all_shown(self, kind: str) -> list[Down]:
        """Everything that is shown of one kind: first what is for everybody, then what is for some."""
        for_all = self._for_all.get(kind)
        for_some = {id(down): down for down in self._for_one.get(kind, {}).values()}
        return [*([for_all] if for_all else []), *for_some.values()]

    def forget(self, member_id: str) -> None:
        """Drop what was shown to one member only."""
        for shown in self._for_one.values():
            shown.pop(member_id, None)
