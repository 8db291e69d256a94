"""What the service itself keeps of a channel, beside the dicts of its plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plugins._board import Board
from plugins._config import ChannelLimits
from plugins._events import Down, DownType
from plugins._handled import Handled, Kept
from plugins._history import History
from plugins._members import Members, MembersInTurn

if TYPE_CHECKING:
    from storage import MoobiusStorage


class ChannelState:
    """Members, messages and handled events of one channel, in its storage, so that they commit with what an event changes.

    Building it reads from the engines, which blocks.
    """

    def __init__(self, storage: MoobiusStorage, limits: ChannelLimits) -> None:
        self.members = Members(storage.system("members"))
        self.history = History(storage.system("history"), keep=limits.history_length)
        self.handled = Handled(storage.system("handled"), window=limits.handled_hours * 3600, limit=limits.handled_length)
        self.board = Board()
        self.last_commit: float | None = None
        self.last_failure: str | None = None
        """Why the newest commit failed, None if it did not."""

    def accept(self, downs: Sequence[Down], members: MembersInTurn, kept: Kept | None, now: float) -> None:
        """Take over what a commit has made true."""
        self.members.accept(members.changes)
        self.history.accept(downs)
        self.board.accept(downs)
        if kept is not None:
            self.handled.accept(kept)
        self.last_commit, self.last_failure = now, None

    def drawn(self, member_id: str) -> list[Down]:
        """What this member was shown last of each kind that the channel itself does not keep."""
        kinds: tuple[DownType, ...] = ("style", "buttons", "menu", "canvas")
        shown = [self.board.shown(kind, member_id) for kind in kinds]
        return [down for down in shown if down is not None]
