"""Undoing what was done in a channel, for the operator; see `mooring.control.commands`.

What was is read from the journal, beside whatever goes on. Then the values that were are set in one commit, which is in the journal as well:
so an undo can be undone. Of the dicts only those of plugins are touched. Values that were changed meanwhile are never overwritten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from mooring.bots.context import Context
from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.protocols import Service, ServiceError
from mooring.service.stored_storages import StoredStorages
from mooring.text import clip
from storage import CachedDict, MoobiusStorage
from storage.domains import domain_of, last_part
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.json.changes_back import ChangeBack, changes_back
from storage.json.past import PastChange, kept_since, past

_MOST_SHOWN = 200
_LONGEST_VALUE = 100
_KEYS_AT_ONCE = 100
"""Then other channels have their turn."""

_MISSING: Final = object()

T = TypeVar("T")


class Undoing(Protocol):
    """What the commands act on: a running service, or the store of one that does not run."""

    async def place(self, channel_id: str) -> str:
        """What the domains of the channel's dicts begin with. Raises CommandError."""

    async def set_back(self, channel_id: str, backs: Sequence[ChangeBack]) -> None:
        """In one commit. Raises CommandError if a value is not what it was thought to be, and StorageError."""

    @property
    def roots(self) -> Sequence[Path]:
        """The folders in which dicts are."""


@dataclass(frozen=True)
class LiveUndoing:
    """In a running service."""

    service: Service[Context]
    roots: Sequence[Path]

    async def place(self, channel_id: str) -> str:
        """As Undoing says."""

        async def look(ctx: Context) -> str:
            return _place(ctx.storage)

        return await self._in_channel(channel_id, look)

    async def set_back(self, channel_id: str, backs: Sequence[ChangeBack]) -> None:
        """As Undoing says."""

        async def change(ctx: Context) -> None:
            await _set_back(ctx.storage, backs)

        await self._in_channel(channel_id, change)

    async def _in_channel(self, channel_id: str, work: Callable[[Context], Awaitable[T]]) -> T:
        try:
            return await self.service.in_channel(channel_id, work, name="undo")
        except ServiceError as error:
            raise CommandError(str(error)) from error


@dataclass(frozen=True)
class StoredUndoing:
    """In the store of a service that does not run. Blocks."""

    storages: StoredStorages
    roots: Sequence[Path]

    async def place(self, channel_id: str) -> str:
        """As Undoing says."""
        with self.storages.open(channel_id) as storage:
            return _place(storage)

    async def set_back(self, channel_id: str, backs: Sequence[ChangeBack]) -> None:
        """As Undoing says."""
        with self.storages.open(channel_id) as storage:
            for name in {_name_of(storage, back.domain) for back in backs} - set(storage.names()):
                storage.declare(name)
            with storage.transaction(event="undo") as transaction:
                transaction.note_command("undo")
                await _set_back(storage, backs)


class Undo(msgspec.Struct, forbid_unknown_fields=True):
    """What is meant: an event, or everything since a moment (seconds since 1970), of one member (by id) or of all."""

    channel_id: str
    dict: str = ""
    """One dict alone."""
    event: str = ""
    member: str = ""
    since: float | None = None
    until: float | None = None
    """What came after is not meant: the newest change that a plan had in it."""
    keep_later: bool = False
    """Leave the keys as they are that others have changed since. Otherwise nothing is undone if there are any."""

    def is_meant(self, change: PastChange) -> bool:
        """Whether this change is to be undone."""
        if self.event and change.event != self.event:
            return False
        is_in_time = (self.since is None or change.at >= self.since) and (self.until is None or change.at <= self.until)
        return is_in_time and (not self.member or change.member == self.member)


async def _plan(undoing: Undoing, asked: Undo) -> dict[str, Any]:
    newest, backs = await _look(undoing, asked)
    shown = [_facts(back) for back in backs[:_MOST_SHOWN]]
    return {"changes": shown, "all": len(backs), "hindered": len(backs) - len(_possible(backs)), "until": newest}


async def _apply(undoing: Undoing, asked: Undo) -> dict[str, int]:
    _, backs = await _look(undoing, asked)
    possible = _possible(backs)
    left = len(backs) - len(possible)
    if left and not asked.keep_later:
        raise CommandError(f"{left} of {len(backs)} keys were changed by others since, or are not known; nothing was undone.")
    if possible:
        await undoing.set_back(asked.channel_id, possible)
    return {"undone": len(possible), "left": left}


def _possible(backs: Sequence[ChangeBack]) -> list[ChangeBack]:
    return [back for back in backs if back.is_known and back.later is None]


async def _look(undoing: Undoing, asked: Undo) -> tuple[float, list[ChangeBack]]:
    if not asked.event and asked.since is None:
        raise CommandError("Say which event is to be undone, or since when.")
    place = await undoing.place(asked.channel_id)
    return await asyncio.to_thread(_read, undoing.roots, place, asked)


def _read(roots: Sequence[Path], place: str, asked: Undo) -> tuple[float, list[ChangeBack]]:
    newest, backs = 0.0, list[ChangeBack]()

    def wants(domain: str) -> bool:
        where, _, name = domain.rpartition(".")
        return where == place and (name == last_part(asked.dict) if asked.dict else not name.startswith("_"))

    def told(root: Path) -> Iterator[PastChange]:
        nonlocal newest
        for change in past(root, wants):
            newest = max(newest, change.at)
            yield change

    for root in roots:
        since = kept_since(root, wants)
        if asked.since is not None and since is not None and asked.since < since:
            when = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            raise CommandError(f"What was done in {root} is known since {when} only; name a later time.")
        backs += changes_back(told(root), asked.is_meant)
    return newest, backs


def _facts(back: ChangeBack) -> dict[str, Any]:
    later = back.later
    facts: dict[str, Any] = {"dict": back.domain.rpartition(".")[2].replace("-", "."), "key": back.key, "now": _shown(back.now)}
    facts["then"] = _shown(back.then) if back.is_known else None
    if later is not None:
        facts["later"] = {"at": later.at, "member": later.member, "event": later.event, "command": later.command}
    return facts


def _shown(text: Encoded | None) -> str:
    return "nothing" if text is None else clip(bytes(text).decode("utf-8", "backslashreplace"), _LONGEST_VALUE)


def _place(storage: MoobiusStorage) -> str:
    return domain_of(storage.service_id, storage.channel_id, "", storage.variant).rpartition(".")[0]


def _name_of(storage: MoobiusStorage, domain: str) -> str:
    part = domain.rpartition(".")[2]
    return next((name for name in storage.names() if last_part(name) == part), part.replace("-", ".", 1))


async def _set_back(storage: MoobiusStorage, backs: Sequence[ChangeBack]) -> None:
    for number, back in enumerate(backs, 1):
        if number % _KEYS_AT_ONCE == 0:
            await asyncio.sleep(0)
        name = _name_of(storage, back.domain)
        if name not in storage.names():
            raise CommandError(f"{name} is no dict of this channel any more; nothing was undone.")
        values: CachedDict = getattr(storage, name)
        there = values.get(back.key, _MISSING)
        if (None if there is _MISSING else codec.encode(there)) != (None if back.now is None else codec.encode(codec.decode(back.now))):
            raise CommandError(f"{name}[{back.key!r}] was changed just now, or is not as the journal tells; nothing was undone.")
        if back.then is None:
            del values[back.key]
        else:
            values[back.key] = codec.decode(back.then)


UNDO_COMMANDS: tuple[ControlCommand[Undoing], ...] = (ControlCommand("undo plan", Undo, _plan), ControlCommand("undo apply", Undo, _apply))
