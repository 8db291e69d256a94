"""What a dict knows of the content of its engine, and how it learns what others have committed."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from storage.database_interface import DatabaseInterface, News
from storage.dicts.scope import Scope
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.encoding.texts import same_text
from storage.errors import UnreadableValue, ValueRefused

if TYPE_CHECKING:
    from storage.dicts.two_phase_commit import Spanning

_STALE = -1


class Content:
    """The committed content, and the values that were handed out of it outside of transactions.

    It is changed only by who holds the engine's lock, after the engine accepted, and while catching up with others. `mutex` is
    held for moments, never while waiting for the engine's lock; it keeps reading threads and the one that writes apart.
    """

    __slots__ = ("_handed", "_stored", "base", "engine", "live", "loaded", "mutex", "name", "noted", "scope", "seen", "spanning")

    def __init__(self, engine: DatabaseInterface, name: str) -> None:
        self.engine = engine
        self.name = name
        self.loaded = not engine.persistent
        """Whether everything is known here; before that, each look goes to the engine."""
        self.mutex = Lock()
        self.scope: Scope | None = None
        """The transaction that is open over this dict, or CLOSED."""
        self.seen = engine.version
        """The version of the engine that the content known here belongs to."""
        self.base: int | None = None
        """What the open transaction builds on."""
        self.noted: set[str] | None = set()
        """The keys that came in from others since `take_news`; None: there is no telling which."""
        self.spanning: Spanning | None = None
        """What commits of the storage that span several engines go by."""
        self.live: dict[str, Any] = {}
        """Decoded values of loaded dicts, good as long as `seen` is the engine's version."""
        self._stored: dict[str, Encoded] = {}
        self._handed: dict[str, tuple[Any, Encoded]] = {}
        """Values that can be changed in place, with the text that each was decoded from or saved as."""

    def text(self, key: str) -> Encoded | None:
        return self._stored.get(key) if self.loaded else self.engine.load_one(key)

    def has(self, key: str) -> bool:
        return key in self._stored if self.loaded else self.engine.load_one(key) is not None

    def key_list(self) -> list[str]:
        return list(self._stored if self.loaded else self.engine.all_keys())

    def count(self) -> int:
        return len(self._stored) if self.loaded else sum(1 for _ in self.engine.all_keys())

    @property
    def is_behind(self) -> bool:
        """Whether `begin` may have to wait for the engine."""
        engine = self.engine
        return (self.seen != engine.version and not engine.has_news(self.seen)) or (engine.announces and engine.waits)

    def refresh(self) -> None:
        """Catch up with commits of other objects, unless a transaction is open: until its end the content stays as it is."""
        if self.seen != self.engine.version and self.scope is None:
            if self.engine.followed and self.is_behind:
                return  # who follows will see to it, without making a reader wait
            self.load(keep_mode=True)

    def load(self, *, keep_mode: bool = False) -> None:
        """Take over what the engine holds now. Changes in place that were not saved yet stay with their keys."""
        with self.mutex:
            version = self.engine.version
            if not self.engine.persistent or (keep_mode and not self.loaded):
                for key in list(self._handed) if self.engine.persistent else ():
                    with suppress(UnreadableValue):
                        self._look_through(key, self.engine.load_one(key))
                self.seen = version
                return
            news = self.engine.news(self.seen) if keep_mode else None
            if news is not None and news.content is None:
                self._take_over(news)
                return
            # Copied, as what is news to several is shared by them.
            stored = self.engine.load_all() if news is None or news.content is None else dict(news.content)
            for key, text in () if news is None else news.changes:
                _put(stored, key, text)
            for key in list(self._handed):
                self._look_through(key, stored.get(key))
            self._stored = stored
            self.loaded = True
            self.live.clear()
            self.live.update((key, value) for key, (value, _) in self._handed.items())
            self.seen = version if news is None else news.version
            self.noted = None if keep_mode else self.noted

    def take_news(self) -> set[str] | None:
        """The keys that others have changed since this was called last; None if there is no telling which."""
        noted, self.noted = self.noted, set()
        return noted

    def _take_over(self, news: News) -> None:
        for key, text in news.changes:
            _put(self._stored, key, text)
            self._look_through(key, text)
            self.live.pop(key, None)
            if key in self._handed:
                self.live[key] = self._handed[key][0]
        if self.noted is not None:
            self.noted.update(news.foreign)
        self.seen = news.version

    def _look_through(self, key: str, now: Encoded | None) -> None:
        """A value that was handed out and not changed gives way to a new one."""
        handed = self._handed.get(key)
        if handed is not None:
            value, text = handed
            if now is None or (bytes(now) != bytes(text) and not self._was_changed(value, text)):
                del self._handed[key]
            else:
                self._handed[key] = (value, now)

    def distrust(self) -> None:
        """After a commit with an unknown outcome: ask the engine before the next read."""
        if not self.engine.announces:
            self.seen = _STALE

    def _advance(self, before: int) -> bool:
        """Whether the content known here is what the commit was built on; otherwise the next read takes over what is new.

        Engines to which others write tell of our own commits among all others, in their order. Counting would not do there:
        one step more may be somebody else's.
        """
        if self.seen != before or self.engine.announces:
            return False
        after = self.engine.version
        if after - before > 1:
            return False
        self.seen = after
        return True

    def _was_changed(self, value: Any, text: Encoded) -> bool:
        try:
            return not same_text(codec.encode(value), text)
        except ValueRefused:
            return True


def _put(stored: dict[str, Encoded], key: str, text: Encoded | None) -> None:
    if text is None:
        stored.pop(key, None)
    else:
        stored[key] = text
