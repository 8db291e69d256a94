"""What a dict knows of the content of its engine, and how it learns what others have committed."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

from storage.database_interface import DatabaseInterface, Finding, News
from storage.dicts.ahead import Ahead
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.encoding.texts import encode_item, is_scalar, item_path, same_text
from storage.errors import StorageBusy, UnreadableValue, ValueRefused
from storage.locking import PatientLock

_STALE = -1
_log = logging.getLogger(__name__)


class Content:
    """The committed content, and the values that were handed out of it outside of transactions.

    It is changed only by who holds the engine's lock, after the engine accepted, and while catching up with others. `mutex` is
    held for moments, never while waiting for the engine's lock; it keeps reading threads and the one that writes apart.
    """

    __slots__ = (
        "_unreadable", "ahead", "base", "engine", "findings", "group", "handed", "joint_group", "live", "loaded", "mutex", "name", "noted",
        "seen", "stored",
    )  # fmt: skip

    def __init__(self, engine: DatabaseInterface, name: str) -> None:
        self.engine = engine
        self.group = engine.group()
        self.joint_group = engine.joint_group()
        self.name = name
        self.findings: list[Finding] = []
        self.loaded = not engine.persistent
        """Whether everything is known here; before that, each look goes to the engine."""
        self.mutex = PatientLock()
        self.seen = engine.version
        """The version of the engine that the content known here belongs to."""
        self.base: int | None = None
        """What the open transaction builds on."""
        self.noted: set[str] | None = set()
        """The keys that came in from others since `take_news`; None: there is no telling which."""
        self.live: dict[str, Any] = {}
        """Decoded values of loaded dicts, good as long as `seen` is the engine's version."""
        self.stored: dict[str, Encoded] = {}
        self.handed: dict[str, tuple[Any, Encoded]] = {}
        """Values that can be changed in place, with the text that each was decoded from or saved as."""
        self.ahead = Ahead()
        """What is in flight; only the transactions that are built on it look there."""
        self._unreadable: set[str] = set()

    def text(self, key: str) -> Encoded | None:
        return self.stored.get(key) if self.loaded else self.engine.load_one(key)

    def has(self, key: str) -> bool:
        return key in self.stored if self.loaded else self.engine.load_one(key) is not None

    def key_list(self) -> list[str]:
        return list(self.stored if self.loaded else self.engine.all_keys())

    def count(self) -> int:
        return len(self.stored) if self.loaded else sum(1 for _ in self.engine.all_keys())

    def read(self, key: str) -> Any:
        """The committed value, live: changes in place are kept until they are saved. Raises KeyError, UnreadableValue."""
        text = None if self.loaded else self.engine.load_one(key)
        with self.mutex.ready():
            if self.loaded:
                if key in self.live:
                    return self.live[key]
                text = self.stored.get(key)
            if text is None:
                self.handed.pop(key, None)
                raise KeyError(key)
            if key in self.handed:
                value, known = self.handed[key]
                if bytes(known) == bytes(text) or _was_changed(value, known):
                    self.handed[key] = (value, text)
                    return value
            value = self.decode(key, text)
            if not is_scalar(value):
                self.handed[key] = (value, text)
            if self.loaded:
                self.live[key] = value
            return value

    def decode(self, key: str, text: Encoded) -> Any:
        try:
            return codec.decode(text)
        except UnreadableValue as error:
            place = item_path(self.name, key)
            if key not in self._unreadable:
                self._unreadable.add(key)
                self.findings.append(Finding("quarantined", self.engine.domain, key, repr(self.engine), str(error)))
                _log.error("%s cannot be read, and stays in the engine as it is: %s", place, error)
            raise UnreadableValue(f"{place}: {error}") from error

    def pending_text(self, key: str) -> bytes | None:
        """The text of a value that was handed out and changed since, or None. Raises ValueRefused."""
        handed = self.handed.get(key)
        if handed is None:
            return None
        text = encode_item(self.name, key, handed[0])
        return None if same_text(text, handed[1]) else text

    def current_text(self, key: str) -> Encoded | None:
        return self.pending_text(key) or self.text(key)

    # -- with what is in flight ----------------------------------------------------------------------------------------

    def newest_text(self, key: str) -> Encoded | None:
        known = self.ahead.newest.get(key)
        return self.text(key) if known is None else known[0]

    def newest_has(self, key: str) -> bool:
        known = self.ahead.newest.get(key)
        return self.has(key) if known is None else known[0] is not None

    def newest_keys(self) -> list[str]:
        if not self.ahead.pending:
            return self.key_list()
        with self.mutex.ready():
            return self.ahead.key_list(self.stored)

    def newest_count(self) -> int:
        if not self.ahead.pending:
            return self.count()
        with self.mutex.ready():
            return len(self.stored) + self.ahead.more_keys()

    # -- what others commit ------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether `begin` may have to wait for the engine."""
        engine = self.engine
        return (self.seen != engine.version and not engine.has_news(self.seen)) or (engine.announces and engine.waits)

    def load(self, *, keep_mode: bool = False) -> None:
        """Take over what the engine holds now. Changes in place that were not saved yet stay with their keys."""
        with self.mutex.ready():
            if self.ahead.pending:
                return  # what is in flight tells its outcome itself, and then there is time for more
            version = self.engine.version
            if not self.engine.persistent or (keep_mode and not self.loaded):
                for key in list(self.handed) if self.engine.persistent else ():
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
            for key in list(self.handed):
                self._look_through(key, stored.get(key))
            self.stored = stored
            self.loaded = True
            self.live.clear()
            self.live.update((key, value) for key, (value, _) in self.handed.items())
            self.seen = version if news is None else news.version
            self.noted = None if keep_mode else self.noted

    def take_news(self) -> set[str] | None:
        """The keys that others have changed since this was called last; None if there is no telling which."""
        noted, self.noted = self.noted, set()
        return noted

    def _take_over(self, news: News) -> None:
        for key, text in news.changes:
            _put(self.stored, key, text)
            self._look_through(key, text)
            self.live.pop(key, None)
            if key in self.handed:
                self.live[key] = self.handed[key][0]
        if self.noted is not None:
            self.noted.update(news.foreign)
        self.seen = news.version

    def _look_through(self, key: str, now: Encoded | None) -> None:
        """A value that was handed out and not changed gives way to a new one."""
        handed = self.handed.get(key)
        if handed is not None:
            value, text = handed
            if now is None or (bytes(now) != bytes(text) and not _was_changed(value, text)):
                del self.handed[key]
            else:
                self.handed[key] = (value, now)

    # -- what is committed here --------------------------------------------------------------------------------------

    def cannot_change(self) -> bool:
        """Whether the mutex can never be had because this code interrupted who holds it; then the next read asks the engine."""
        if self.mutex.locked():
            try:
                self.mutex.look()
            except StorageBusy:
                self.invalidate()
                return True
        return False

    def invalidate(self) -> None:
        """After a commit with an unknown outcome: ask the engine before the next read."""
        if not self.engine.announces:
            self.seen = _STALE

    def advance(self, before: int) -> bool:
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

    def advance_own(self) -> bool:
        """The same for a commit that was handed in: it comes one version after the one before it, also where others write too."""
        if self.seen == _STALE:
            return False
        if self.engine.persistent:
            self.seen += 1
        return True

    def detach(self, key: str, value: Any) -> None:
        """A value that was handed out before is no longer that of the key; a scalar can take its place at once."""
        self.handed.pop(key, None)
        if self.loaded and is_scalar(value):
            self.live[key] = value
        else:
            self.live.pop(key, None)


def _was_changed(value: Any, text: Encoded) -> bool:
    try:
        return not same_text(codec.encode(value), text)
    except ValueRefused:
        return True


def _put(stored: dict[str, Encoded], key: str, text: Encoded | None) -> None:
    if text is None:
        stored.pop(key, None)
    else:
        stored[key] = text
