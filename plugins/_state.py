"""What the service itself keeps of a channel, beside the dicts of its plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plugins._board import Board
from plugins._config import ChannelLimits
from plugins._events import Character, Down, DownType
from plugins._handled import Handled, Kept
from plugins._history import History
from plugins._members import Members

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

    def accept(self, downs: Sequence[Down], kept: Kept | None, now: float) -> None:
        """Take over what a commit has made true."""
        self.history.accept(downs)
        self.board.accept(downs)
        if kept is not None:
            self.handled.accept(kept)
        self.last_commit = now

    def characters(self, channel_id: str) -> list[Down]:
        """Updates that show everybody, with facts and bars as they are now, to everybody."""
        return [Down("characters", channel_id, list(self.members.values()))]

    def current(self, channel_id: str, member_id: str) -> list[Down]:
        """The updates that draw the whole state for one member."""
        kinds: tuple[DownType, ...] = ("channel_info", "style", "buttons", "menu", "canvas")
        shown = [self.board.shown(kind, member_id) for kind in kinds]
        return [*self.characters(channel_id), *(down for down in shown if down is not None)]


def is_in_charge(character: Character | None) -> bool:
    """Whether a member is told what only operators need to know."""
    return character is not None and (character.character_context or {}).get("role") in {"moderator", "owner"}
