"""What all engine objects of one domain in a process share: the lock, the version, and the latest commits."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from storage.database_interface import DatabaseInterface, Finding, News
from storage.domain_lock import DomainLock
from storage.encoding.codec import Encoded

_REMEMBERED = 1000
"""Commits. Who falls further behind loads everything anew."""


@dataclass(frozen=True)
class _KnownCommit:
    version: int
    content: Mapping[str, Encoded] | None
    changes: Sequence[tuple[str, Encoded | None]]
    is_own: bool


class SharedDomain:
    """Thread-safe. Versions are pushed to the engines as plain attributes, because they are read far more often than raised."""

    def __init__(self) -> None:
        self.lock = DomainLock()
        self.wanted = False
        """Somebody keeps the whole content in memory."""
        self._guard = threading.Lock()
        self._version = 0
        self._steps: deque[_KnownCommit] = deque(maxlen=_REMEMBERED)
        self._engines: weakref.WeakSet[DatabaseInterface] = weakref.WeakSet()

    def join(self, engine: DatabaseInterface) -> None:
        """Give the engine the shared lock and keep its version up to date."""
        engine.lock = self.lock
        with self._guard:
            engine.version = self._version
            self._engines.add(engine)

    def advance(self, changes: Sequence[tuple[str, Encoded | None]], content: Mapping[str, Encoded] | None = None, *, is_own: bool = False) -> None:
        """A commit: `content` takes the place of everything, then come the changes. `is_own` if this process made it."""
        with self._guard:
            self._steps.append(_KnownCommit(self._version + 1, content, changes, is_own))
            self._raise()

    def forget(self) -> None:
        """Something happened, and what it was is not known here."""
        with self._guard:
            self._steps.clear()
            self._raise()

    def tell(self, finding: Finding) -> None:
        with self._guard:
            for engine in self._engines:
                engine.report.append(finding)

    def has_news(self, seen: int) -> bool:
        """Whether `news` knows an answer."""
        return seen == self._version or bool(self._steps and self._steps[0].version <= seen + 1)

    def news(self, seen: int) -> News | None:
        """What happened after the version `seen`; None if that is not known here."""
        with self._guard:
            if not self.has_news(seen):
                return None
            # From the end, as it is nearly always the last few.
            missed = list(takewhile(lambda step: step.version > seen, reversed(self._steps)))[::-1]
            begin = max((place for place, step in enumerate(missed) if step.content is not None), default=0)
            content = missed[begin].content if missed else None
            changes = [change for step in missed[begin:] for change in step.changes]
            return News(self._version, content, changes, [key for step in missed if not step.is_own for key, _ in step.changes])

    def _raise(self) -> None:
        self._version += 1
        for engine in self._engines:
            engine.version = self._version
