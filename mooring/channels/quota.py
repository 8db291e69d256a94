"""Quotas: how much a channel, a plugin in it, or one store may keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mooring.channels.system_dicts import SCHEDULES
from mooring.errors import CommandError
from storage import CachedDict, MoobiusStorage
from storage.usage import growth_of, usage_of


@dataclass(frozen=True)
class Quota:
    """The most keys and bytes; None is no limit."""

    keys: int | None = None
    size: int | None = None

    def check_channel(self, storage: MoobiusStorage) -> None:
        """Raise CommandError if the open transaction would lead beyond it, with all dicts together and with what is scheduled."""
        if self.is_set:
            self._check(storage, [*(getattr(storage, name) for name in storage.names()), SCHEDULES.of(storage)], "This channel")

    def check_dicts(self, storage: MoobiusStorage, names: Sequence[str], whose: str) -> None:
        """The same for these dicts, as far as the channel has them, or shares them with others; `whose` they are says the refusal."""
        if self.is_set:
            found = [getattr(storage, name) if name in storage.names() else storage.joint(name) for name in names]
            self._check(storage, [each for each in found if each is not None], whose)

    @property
    def is_set(self) -> bool:
        """Whether it limits anything."""
        return self.keys is not None or self.size is not None

    def _check(self, storage: MoobiusStorage, dicts: Sequence[CachedDict], whose: str) -> None:
        """What makes it smaller always may."""
        growth = growth_of(storage, dicts)
        if growth.keys <= 0 and growth.size <= 0:
            return
        total = usage_of(dicts) + growth
        if self.keys is not None and growth.keys > 0 and total.keys > self.keys:
            raise CommandError(f"{whose} is full: it may keep {self.keys} entries, and this would make {total.keys}. Remove some first.")
        if self.size is not None and growth.size > 0 and total.size > self.size:
            raise CommandError(f"{whose} is full: it may keep {self.size} bytes, and this would make {total.size}. Remove something first.")
