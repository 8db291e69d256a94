"""The channels that are made at run time, as they are kept: what each is called, whether it is open, and what became of those deleted.

They are in one storage of the service, so that each change is one commit: after a crash a channel is there or not. An id may be given
again after its channel was deleted. Then the new channel is the next *incarnation* of the id, and its number is a part of the domains of its
dicts. So old data stays where it is, untouched, until it is pruned; the alternative, to move it aside, takes as long as there is data, in
as many commits as there are engines, and must know every dict that anybody ever added.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, TypeVar

from mooring.channels.registry_records import read_channel, read_channels, set_aside
from mooring.channels.settings import ChannelSettings
from mooring.channels.system_dicts import DELETED_CHANNELS, INCARNATIONS, MADE_CHANNELS, OF_THE_REGISTRY, SET_ASIDE, SETTINGS, kept_beside
from mooring.made_channels import ChannelRefused, MadeChannel
from mooring.text import suggestion
from storage import MoobiusStorage, StorageError, VersionConflict
from storage.db_config import DbConfig

T = TypeVar("T")

_ATTEMPTS = 50
"""How often a change is tried that another process was ahead of."""


class ChannelRegistry:
    """Everything here blocks, and may be called from any thread; each change is one commit, and raises CommitFailed if it was not made.

    What was read is as the last commit left it, those of other processes included.
    """

    def __init__(self, service_id: str, db_config: DbConfig, clock: Callable[[], float] = time.time) -> None:
        """Opens the storage. Raises ConfigError and StorageError."""
        self._clock = clock
        self._entries = kept_beside(db_config)
        self.keeps = bool(self._entries)
        """Whether there is an engine that keeps the channels over a restart."""
        self._storage = OF_THE_REGISTRY.open(service_id, self._entries)
        self._made, self._deleted = MADE_CHANNELS.of(self._storage), DELETED_CHANNELS.of(self._storage)
        self._incarnations = INCARNATIONS.of(self._storage)
        SET_ASIDE.of(self._storage)  # made now, since a transaction can use a dict but not add one
        try:
            _until_ahead_of(lambda: set_aside(self._storage))
        except BaseException:
            self._storage.close()
            raise
        self._at_the_end: dict[str, int] | None = None
        self.service_id = service_id

    def close(self) -> None:
        """Close the storage. Calling it twice is fine; `ids` and `incarnation` go on to say what they said at the end."""
        if self._at_the_end is None:
            self._at_the_end = {}
            with suppress(StorageError):  # it is away; then ids mean what they mean to a program that knows nothing of this
                made, counted = self._made.copy(), self._incarnations.copy()
                self._at_the_end = {each: _incarnation_of(made.get(each), counted.get(each)) for each in counted}
        self._storage.close()

    def follow(self, listener: Callable[[], None]) -> None:
        """Let `listener` be called, in any thread, when another process may have changed something."""
        self._storage.follow(listener)

    def refresh(self) -> set[str] | None:
        """Take over what other processes changed; the ids of the channels concerned, None for any."""
        with self._storage.transaction():
            return self._storage.news().get(MADE_CHANNELS.changed_as, set())

    # -- looking ---------------------------------------------------------------------------------------------------------

    def get(self, channel_id: str) -> MadeChannel | None:
        """The channel of this id, open or archived; None if there is none."""
        kept = self._made.get(channel_id)
        return None if kept is None else read_channel(kept)

    def all(self) -> list[MadeChannel]:
        """All that are open or archived, in the order in which they were made."""
        return sorted(read_channels(self._made.copy().values()), key=lambda each: each.made_at)

    def deleted(self) -> list[MadeChannel]:
        """Those that were deleted and can still be opened again, or pruned; the newest last."""
        return sorted(read_channels(self._deleted.copy().values()), key=lambda each: (each.deleted_at or 0.0, each.incarnation))

    def ids(self) -> list[str]:
        """All ids that were ever given to a channel."""
        return list(self._incarnations if self._at_the_end is None else self._at_the_end)

    def incarnation(self, channel_id: str) -> int:
        """Which incarnation of its id the channel is that was made so, or that the config names."""
        if self._at_the_end is not None:
            return self._at_the_end.get(channel_id, 1)
        return _incarnation_of(self._made.get(channel_id), self._incarnations.get(channel_id))

    # -- changing --------------------------------------------------------------------------------------------------------

    def note_configured(self, channel_ids: Iterable[str]) -> None:
        """The config names these channels. If it does not any more, an id of theirs that is given again is another channel all the same."""

        new = [each for each in channel_ids if each not in self._made and not self._incarnations.get(each, {}).get("configured")]

        def change() -> None:
            for channel_id in new:
                self._number(channel_id, is_configured=True)

        if new:
            self._commit(change)

    def create(
        self,
        config: Mapping[str, Any],
        *,
        made_by: str = "",
        request: str = "",
        check: Callable[[Callable[[], list[MadeChannel]]], None] = lambda _: None,
    ) -> MadeChannel:
        """Make a channel of these fields; `check` can look at what there is, and may refuse. Raises ChannelRefused if the id is taken."""
        channel_id = str(config["id"])

        def change() -> MadeChannel:
            there = self.get(channel_id)
            if there is not None:
                if request and there.request == request:
                    return there
                raise ChannelRefused(_taken(there))
            check(self.all)
            formerly = self._incarnations.get(channel_id, {}).get("configured")
            if formerly:
                gone = MadeChannel({"id": channel_id}, formerly, is_open=False, deleted_at=self._clock())
                self._deleted[_archive_key(gone)] = asdict(gone)
            made = MadeChannel(dict(config), self._number(channel_id), made_at=self._clock(), made_by=made_by, request=request)
            return self._keep(made)

        return self._commit(change)

    def update(self, channel_id: str, fields: Mapping[str, Any]) -> MadeChannel:
        """Give a channel other values of some fields; None takes a value away. Raises ChannelRefused if there is no such channel."""

        def change() -> MadeChannel:
            made = self._existing(channel_id)
            config = {name: value for name, value in {**made.config, **fields}.items() if value is not None}
            return self._keep(replace(made, config=config))

        return self._commit(change)

    def archive(self, channel_id: str) -> MadeChannel:
        """Close a channel, which stays as it is. Raises ChannelRefused if there is none, or it is archived already."""

        def change() -> MadeChannel:
            made = self._existing(channel_id)
            if not made.is_open:
                raise ChannelRefused(f"The channel {channel_id} is archived already.")
            return self._keep(replace(made, is_open=False, changes=made.changes + 1))

        return self._commit(change)

    def open(self, channel_id: str) -> MadeChannel:
        """Open a channel that was archived, or the newest that was deleted and not pruned. Raises ChannelRefused if there is none."""

        def change() -> MadeChannel:
            made = self.get(channel_id)
            if made is None:
                made = next((each for each in reversed(self.deleted()) if each.id == channel_id), None)
                if made is None:
                    raise self._unknown(channel_id)
                del self._deleted[_archive_key(made)]
            elif made.is_open:
                raise ChannelRefused(f"The channel {channel_id} is open already.")
            return self._keep(replace(made, is_open=True, changes=made.changes + 1, deleted_at=None))

        return self._commit(change)

    def delete(self, channel_id: str) -> MadeChannel:
        """Take a channel away, and keep its data until it is pruned. Raises ChannelRefused if there is no such channel."""

        def change() -> MadeChannel:
            made = self._existing(channel_id)
            gone = replace(made, is_open=False, changes=made.changes + 1, deleted_at=self._clock())
            del self._made[channel_id]
            self._deleted[_archive_key(gone)] = asdict(gone)
            return gone

        return self._commit(change)

    def shut(self, closed: MadeChannel) -> None:
        """End a closed channel for all processes that serve it, by a commit in it: whether it is open here or not, others may have it open.

        Not inside of an event, which may be what holds up the channel.
        """
        if self._storage.is_shared:
            with MoobiusStorage(self.service_id, closed.id, self._entries, variant=closed.variant) as storage:
                settings = ChannelSettings(SETTINGS.of(storage))
                _until_ahead(storage, partial(settings.close, closed.changes))

    def forget(self, made: MadeChannel) -> None:
        """Forget a deleted channel whose data is gone."""
        self._commit(lambda: self._deleted.pop(_archive_key(made), None))

    # --------------------------------------------------------------------------------------------------------------------

    def _existing(self, channel_id: str) -> MadeChannel:
        made = self.get(channel_id)
        if made is None:
            raise self._unknown(channel_id)
        return made

    def _unknown(self, channel_id: str) -> ChannelRefused:
        return ChannelRefused(f"No channel {channel_id!r} was made at run time.{suggestion(channel_id, self._made)}")

    def _number(self, channel_id: str, *, is_configured: bool = False) -> int:
        """The number of a new channel with this id, which no other one had or will have."""
        number = int(self._incarnations.get(channel_id, {"highest": 0})["highest"]) + 1
        self._incarnations[channel_id] = {"highest": number, "configured": number if is_configured else None}
        return number

    def _keep(self, made: MadeChannel) -> MadeChannel:
        self._made[made.id] = asdict(made)
        return made

    def _commit(self, change: Callable[[], T]) -> T:
        return _until_ahead(self._storage, change)


def _until_ahead(storage: MoobiusStorage, change: Callable[[], T]) -> T:
    """Commit a change, again and again while other processes are ahead of it."""

    def commit() -> T:
        with storage.transaction(event="channels"):
            return change()

    return _until_ahead_of(commit)


def _until_ahead_of(commit: Callable[[], T]) -> T:
    for remaining in reversed(range(_ATTEMPTS)):
        try:
            return commit()
        except VersionConflict:
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _taken(there: MadeChannel) -> str:
    if there.is_open:
        return f"There is a channel {there.id} already."
    return f"There is a channel {there.id} already; it is archived, and can be opened."


def _archive_key(made: MadeChannel) -> str:
    return f"{made.incarnation}/{made.id}"


def _incarnation_of(made: Any, counted: Any) -> int:
    there = read_channel(made)
    return there.incarnation if there is not None else int((counted or {}).get("configured") or 1)
