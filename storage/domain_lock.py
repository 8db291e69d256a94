"""The lock of one domain, which the one open transaction over it holds."""

from __future__ import annotations

from typing import Protocol
from weakref import ref

from storage.locking import PatientLock


class Holder(Protocol):
    """What keeps locks beyond one transaction, as long as commits are on their way."""

    waiting: list[object]
    """Who waits for the locks. As long as there is somebody, the holder begins nothing new."""

    @property
    def is_draining(self) -> bool:
        """Whether it lets go of its locks by itself soon, without anybody else having to run."""


class DomainLock(PatientLock):
    """Engines that share data between objects share the lock."""

    __slots__ = ("_holders",)

    def __init__(self) -> None:
        super().__init__()
        self._holders: list[ref[Holder]] = []

    def add_holder(self, holder: Holder) -> None:
        """Let those who wait know of one that may hold the lock, as long as that exists."""
        if holder not in self.holders():
            self._holders = [known for known in self._holders if known() is not None] + [ref(holder)]

    def holders(self) -> list[Holder]:
        """All that may hold the lock over many transactions."""
        return [holder for holder in (known() for known in self._holders) if holder is not None]
