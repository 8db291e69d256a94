"""Quotas: how much plugins may keep in one channel."""

from __future__ import annotations

from dataclasses import dataclass

from mooring.channels.system_dicts import SCHEDULES
from mooring.errors import CommandError
from storage import MoobiusStorage
from storage.usage import growth_of, usage_of


@dataclass(frozen=True)
class Quota:
    """The most keys and bytes of all dicts of one channel together, and of what is scheduled in it; None is no limit."""

    keys: int | None = None
    size: int | None = None

    def check(self, storage: MoobiusStorage) -> None:
        """Raise CommandError if the open transaction would lead beyond the quota; what makes a channel smaller always may."""
        if self.keys is None and self.size is None:
            return
        also = (SCHEDULES.of(storage),)
        growth = growth_of(storage, also)
        if growth.keys <= 0 and growth.size <= 0:
            return
        total = usage_of(storage, also) + growth
        if self.keys is not None and growth.keys > 0 and total.keys > self.keys:
            raise CommandError(f"This channel is full: it may keep {self.keys} entries, and this would make {total.keys}. Remove some first.")
        if self.size is not None and growth.size > 0 and total.size > self.size:
            raise CommandError(f"This channel is full: it may keep {self.size} bytes, and this would make {total.size}. Remove something first.")
