"""What a channel shows beside its messages, for those who come in later."""

from __future__ import annotations

from collections.abc import Sequence

from plugins._events import Down, DownType


class Board:
    """The latest update of each kind in one channel: for everybody, and where somebody was shown something else, for that member.

    It lives in memory only. Updates are pictures of a state that somebody else keeps and draws again when a channel is set up
    or a member comes in; keeping the pictures too would write every picture into every commit.
    """

    def __init__(self) -> None:
        self._for_all: dict[DownType, Down] = {}
        self._for_one: dict[DownType, dict[str, Down]] = {}

    def accept(self, downs: Sequence[Down]) -> None:
        """Take over the updates among downs that were delivered."""
        for down in downs:
            if down.type == "message_down":
                continue
            if down.recipients is None:
                self._for_all[down.type] = down
                self._for_one.pop(down.type, None)
            else:
                self._for_one.setdefault(down.type, {}).update(dict.fromkeys(down.recipients, down))

    def shown(self, kind: DownType, member_id: str) -> Down | None:
        """What this member was shown last of one kind."""
        return self._for_one.get(kind, {}).get(member_id) or self._for_all.get(kind)

    def all_shown(self, kind: DownType) -> list[Down]:
        """Everything that is shown of one kind: first what is for everybody, then what is for some."""
        for_all = self._for_all.get(kind)
        for_some = {id(down): down for down in self._for_one.get(kind, {}).values()}
        return [*([for_all] if for_all else []), *for_some.values()]

    def forget(self, member_id: str) -> None:
        """Drop what was shown to one member only."""
        for shown in self._for_one.values():
            shown.pop(member_id, None)
