"""What the service itself keeps of a channel, beside the dicts of its plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mooring.channel_config import ChannelConfig, ChannelLimits
from mooring.channels import system_dicts
from mooring.channels.bindings import Bindings
from mooring.channels.deduplication import Deduplicator, HandledEvent
from mooring.channels.history import History, Numbered
from mooring.channels.ignores import Ignores
from mooring.channels.members import Members
from mooring.channels.members_in_turn import MembersInTurn
from mooring.channels.outbox import Outbox
from mooring.channels.outbox_entries import Queued
from mooring.channels.presence import Presence
from mooring.channels.read_marks import ReadMarks
from mooring.channels.screen import Screen
from mooring.channels.sent_files import SentFiles
from mooring.channels.settings import ChannelSettings
from mooring.events import Down
from mooring.kinds import DOWN_KINDS

if TYPE_CHECKING:
    from storage import MoobiusStorage


class CommitFailure(NamedTuple):
    """A commit that failed for good."""

    reason: str
    at: float
    """By `time.monotonic`."""


class ChannelState:
    """Members, messages and handled events of one channel, in its storage, so that they commit with what an event changes.

    Building it reads from the engines, which blocks.
    """

    def __init__(
        self, storage: MoobiusStorage, limits: ChannelLimits, config: ChannelConfig, plugin_names: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self.members = Members(system_dicts.MEMBERS.of(storage))
        self.history = History(system_dicts.HISTORY.of(storage), keep=limits.history_length, keep_bytes=limits.history_bytes)
        self.handled = Deduplicator(
            system_dicts.HANDLED.of(storage),
            window=limits.handled_hours * 3600,
            limit=limits.handled_length,
            per_member=limits.handled_per_member,
        )
        self.bindings = Bindings(config.rooms, system_dicts.ROOMS.of(storage))
        self.read_marks = ReadMarks(system_dicts.READ_MARKS.of(storage))
        self.ignores = Ignores(system_dicts.IGNORED.of(storage))
        self.settings = ChannelSettings(system_dicts.SETTINGS.of(storage))
        self.outbox = Outbox(system_dicts.OUTBOX.of(storage), length=limits.outbox_length, size=limits.outbox_bytes)
        self.sent_files = SentFiles(storage.channel_id, system_dicts.SENT_FILES.of(storage))
        self.is_shared = storage.is_shared
        """Whether other processes may serve the same channel."""
        self.screen = Screen(storage.channel_id, system_dicts.SCREEN.of(storage), plugin_names)
        self.presence = Presence(system_dicts.PRESENCE.of(storage), self.members) if self.is_shared else None
        self.last_commit: float | None = None
        self.last_failure: CommitFailure | None = None
        """How the newest commit failed, None if it did not."""

    def limit(self, limits: ChannelLimits) -> None:
        """From now on the channel keeps so much."""
        self.history.limit(limits.history_length, limits.history_bytes)
        self.handled.limit(limits.handled_hours * 3600, limits.handled_length, limits.handled_per_member)
        self.outbox.limit(limits.outbox_length, limits.outbox_bytes)

    def hand(self, numbered: Numbered, members: MembersInTurn, queued: Queued, kept: HandledEvent | None) -> None:
        """Let the next turn go on from a commit that was handed in."""
        if kept is not None:
            self.handled.hand(kept)
        self.outbox.hand(queued)
        self.members.hand(members.changes)
        self.history.hand(numbered)
        self.screen.hand(numbered.downs)

    def reset(self) -> None:
        """Go back to what is kept: a commit failed, and with it all that were built on it."""
        self.handled.reset()
        self.members.reset()
        self.history.reset()
        self.screen.reset()
        self.outbox.reset()

    def accept(self, numbered: Numbered, members: MembersInTurn, queued: Queued, kept: HandledEvent | None, now: float) -> None:
        """Take over what a commit has made true."""
        self.outbox.accept(queued)
        self.members.accept(members.changes)
        self.history.accept(numbered)
        self.screen.accept(numbered.downs)
        if kept is not None:
            self.handled.accept(kept)
        self.last_commit, self.last_failure = now, None

    def catch_up(self, channel_id: str, news: Mapping[str, set[str] | None]) -> list[Down]:
        """Take over what other processes committed, inside a transaction; returns what the members here have to be shown of it."""
        downs: list[Down] = []
        if system_dicts.SETTINGS.changed_as in news:
            self.settings.refresh()
        if (name := system_dicts.MEMBERS.changed_as) in news:
            self.members.catch_up(news[name])
        if (name := system_dicts.HANDLED.changed_as) in news:
            self.handled.catch_up(news[name])
        if (name := system_dicts.OUTBOX.changed_as) in news:
            self.outbox.catch_up(news[name])
        if (name := system_dicts.IGNORED.changed_as) in news:
            self.ignores.catch_up(news[name])
        if system_dicts.ROOMS.changed_as in news:
            self.bindings.refresh()
        if (name := system_dicts.HISTORY.changed_as) in news:
            downs += self.history.catch_up(news[name])
        if (name := system_dicts.SCREEN.changed_as) in news:
            downs += self.screen.drawn(self.screen.catch_up(news[name]))
        return downs

    def drawn(self, member_id: str) -> list[Down]:
        """What this member was shown last of each kind that the channel itself does not keep."""
        shown = [self.screen.shown(kind, member_id) for kind in DOWN_KINDS.values() if kind.source == "sender"]
        return [down for down in shown if down is not None]
