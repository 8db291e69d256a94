"""What the service itself keeps of a channel, beside the dicts of its plugins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from plugins._board import Board
from plugins._config import ChannelLimits
from plugins._cooldowns import COOLDOWNS
from plugins._events import Character, Down, DownType
from plugins._handled import Handled, Kept
from plugins._history import History
from plugins._members import Members
from plugins._schedule import SCHEDULES

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
        for name in (SCHEDULES, COOLDOWNS):
            # Opened here, because inside a transaction no dict can be added to a storage.
            storage.system(name)
        self.board = Board()
        self.last_commit: float | None = None
        self.last_failure: str | None = None
        """Why the newest commit failed, None if it did not."""
        self.extras: Callable[[], list[Character]] = list
        """Characters that are shown after the members; the bars of the channel itself come from here."""

    def accept(self, downs: Sequence[Down], kept: Kept | None, now: float) -> None:
        """Take over what a commit has made true."""
        self.history.accept(downs)
        self.board.accept(downs)
        if kept is not None:
            self.handled.accept(kept)
        self.last_commit, self.last_failure = now, None

    def characters(self, channel_id: str) -> list[Down]:
        """Updates that show the members, with facts and bars as they are now.

        Everybody is shown to everybody, unless a service sent a list of its own; then that list, with what is new about those
        who are in it.
        """
        listed = [replace(down, body=[self.members.get(one.character_id, one) for one in down.body]) for down in self.board.all_shown("characters")]
        if any(down.recipients is None for down in listed):
            return listed
        return [Down("characters", channel_id, [*self.members.values(), *self.extras()]), *listed]

    def current(self, channel_id: str, member_id: str) -> list[Down]:
        """The updates that draw the whole state for one member."""
        kinds: tuple[DownType, ...] = ("style", "buttons", "menu", "canvas")
        shown = [self.board.shown(kind, member_id) for kind in kinds]
        characters = [down for down in self.characters(channel_id) if down.recipients is None or member_id in down.recipients]
        return [characters[-1], *(down for down in shown if down is not None)]
