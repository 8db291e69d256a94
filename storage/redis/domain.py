"""What all engine objects of one domain in a process share: the lock, the version, and what became of keys lately."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from storage.database_interface import DatabaseInterface, Finding, News
from storage.domain_lock import DomainLock
from storage.encoding.codec import Encoded

_FEW = 1000
"""Keys; more are looked through for those that everybody knows."""

_MOST = 100_000
"""Keys. Whoever has not asked for so many changes loads everything anew."""


class _Last(NamedTuple):
    """The last change of a key."""

    version: int
    text: Encoded | None
    foreign: int
    """The version of the last change by another process, 0 if there was none."""
    removed: int
    """The version of the last removal, 0 if there was none; what was set after it stands at the end."""


_NEVER = _Last(0, None, 0, 0)


class SharedDomain:
    """Thread-safe. Versions are pushed to the engines as plain attributes, because they are read far more often than raised.

    Of each key only the last change is kept, and only until all who have the content in memory have asked for it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = DomainLock()
        self.wanted = False
        """Somebody keeps the whole content in memory."""
        self._guard = threading.Lock()
        self._version = 0
        self._content: Mapping[str, Encoded] | None = None
        """What took the place of everything, with version `_replaced`."""
        self._replaced = 0
        self._known_from = 0
        """What was changed after this version is known."""
        self._last: dict[str, _Last] = {}
        """By key, in the order of the changes."""
        self._limit = _FEW
        self._engines: weakref.WeakKeyDictionary[DatabaseInterface, int | None] = weakref.WeakKeyDictionary()
        """Up to which version each has asked; None for one that keeps no content."""

    def join(self, engine: DatabaseInterface) -> None:
        """Give the engine the shared lock and keep its version up to date."""
        engine.lock = self.lock
        with self._guard:
            engine.version = self._version
            self._engines[engine] = None

    def loads(self, engine: DatabaseInterface) -> None:
        """The engine is about to read the whole content, and will want to know from now on what is changed."""
        with self._guard:
            self.wanted = True
            self._engines[engine] = self._version

    def advance(self, changes: Sequence[tuple[str, Encoded | None]], content: Mapping[str, Encoded] | None = None, *, is_own: bool = False) -> None:
        """A commit: `content` takes the place of everything, then come the changes. `is_own` if this process made it."""
        with self._guard:
            version = self._version + 1
            if content is not None:
                self._content, self._replaced, self._known_from = content, version, 0
                self._last.clear()
            if self.wanted:
                for key, text in changes:
                    before = self._last.pop(key, _NEVER)
                    self._last[key] = _Last(version, text, before.foreign if is_own else version, before.removed if text is not None else version)
                if len(self._last) > self._limit:
                    self._forget_known()
            else:
                self._known_from = version
            self._raise()

    def forget(self) -> None:
        """Something happened, and what it was is not known here."""
        with self._guard:
            self._forget_all()
            self._raise()

    def tell(self, finding: Finding) -> None:
        with self._guard:
            for engine in self._engines:
                engine.report.append(finding)

    def has_news(self, seen: int) -> bool:
        """Whether `news` knows an answer."""
        return seen == self._version or seen >= self._known_from

    def news(self, engine: DatabaseInterface, seen: int) -> News | None:
        """What happened after the version `seen`; None if that is not known here."""
        with self._guard:
            if not self.has_news(seen):
                return None
            content = self._content if self._replaced > seen else None
            # From the end, as it is nearly always the last few.
            missed = list(takewhile(lambda item: item[1].version > seen, reversed(self._last.items())))[::-1]
            changes: list[tuple[str, Encoded | None]] = []
            for key, last in missed:
                if last.removed > seen and last.text is not None:
                    changes.append((key, None))
                changes.append((key, last.text))
            self._engines[engine] = self._version
            if content is not None:
                self._forget_known()
            return News(self._version, content, changes, [key for key, last in missed if last.foreign > seen])

    def _forget_known(self) -> None:
        asked = min((version for version in self._engines.values() if version is not None), default=self._version)
        if self._replaced <= asked:
            self._content = None
            self._replaced = 0
            self._known_from = max(self._known_from, asked)
        for key in [key for key, last in self._last.items() if last.version <= asked]:
            del self._last[key]
        self._limit = max(_FEW, 2 * len(self._last))
        if len(self._last) > _MOST:
            self._forget_all()

    def _forget_all(self) -> None:
        self._content = None
        self._replaced = 0
        self._known_from = self._version + 1
        self._last.clear()
        self._limit = _FEW

    def _raise(self) -> None:
        self._version += 1
        for engine in self._engines:
            engine.version = self._version
