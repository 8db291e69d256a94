"""The committed content of one dict as this process knows it, and the values that were handed out of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import chain
from threading import Lock
from typing import Any

from storage import codec
from storage.codec import Encoded
from storage.database_interface import DatabaseInterface, DomainChanges, Finding, News, Origin
from storage.errors import StoreClosed, UnreadableValue, ValueRefused
from storage.locks import take_all
from storage.overlay import Overlay
from storage.scope import CLOSED, Scope, is_inside
from storage.texts import encode_item, is_scalar, item_path, same_text

_log = logging.getLogger(__name__)
_NOBODY = Origin()
_STALE = -1


class DictState:
    """What stands between a dict and its engine.

    Committed content is changed only by who holds the engine's lock, after the engine accepted. `mutex` is held for
    moments, never while waiting for the engine's lock; it keeps reading threads and the one that writes apart.
    """

    __slots__ = (
        "_handed", "_stored", "_unreadable", "base", "engine", "findings", "group", "live", "loaded", "mutex", "name", "noted", "scope", "seen",
    )  # fmt: skip

    def __init__(self, engine: DatabaseInterface, name: str) -> None:
        self.engine = engine
        self.name = name
        self.group = engine.group()
        self.loaded = not engine.persistent
        self.mutex = Lock()
        self.scope: Scope | None = None
        """The transaction that is open over this dict, or CLOSED."""
        self.seen = engine.version
        """The version of the engine that the content known here belongs to."""
        self.base: int | None = None
        """What the open transaction builds on."""
        self.noted: set[str] | None = set()
        """The keys that came in from others since `take_news`; None: there is no telling which."""
        self.live: dict[str, Any] = {}
        """Decoded values of loaded dicts, good as long as `seen` is the engine's version."""
        self.findings: list[Finding] = []
        self._stored: dict[str, Encoded] = {}
        self._handed: dict[str, tuple[Any, Encoded]] = {}
        self._unreadable: set[str] = set()

    # -- committed content -------------------------------------------------------------------------------------------

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
            self.noted = None

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
                self.noted.add(key)
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

    # -- reading outside of transactions -----------------------------------------------------------------------------

    def overlay(self) -> Overlay | None:
        """The view of the transaction that the running code is in, or None outside. Raises StoreClosed."""
        scope = self.scope
        if scope is None:
            return None
        if scope is CLOSED:
            raise StoreClosed(f"{self.name} was closed")
        if not is_inside(scope):
            return None
        overlay = scope.overlays.get(self)
        if overlay is None:
            overlay = scope.overlays.setdefault(self, Overlay(self))
        return overlay

    def read(self, key: str) -> Any:
        """The committed value, live: changes in place are kept until they are saved. Raises KeyError, UnreadableValue."""
        self.refresh()
        text = None if self.loaded else self.engine.load_one(key)
        with self.mutex:
            if self.loaded:
                if key in self.live:
                    return self.live[key]
                text = self._stored.get(key)
            if text is None:
                self._handed.pop(key, None)
                raise KeyError(key)
            if key in self._handed:
                value, known = self._handed[key]
                if bytes(known) == bytes(text) or self._was_changed(value, known):
                    self._handed[key] = (value, text)
                    return value
            value = self.decode(key, text)
            if not is_scalar(value):
                self._handed[key] = (value, text)
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

    # -- changes in place --------------------------------------------------------------------------------------------

    def pending_text(self, key: str) -> bytes | None:
        """The text of a value that was handed out and changed since, or None."""
        handed = self._handed.get(key)
        if handed is None:
            return None
        text = encode_item(self.name, key, handed[0])
        return None if same_text(text, handed[1]) else text

    def current_text(self, key: str) -> Encoded | None:
        return self.pending_text(key) or self.text(key)

    def handed_keys(self) -> list[str]:
        return list(self._handed)

    def pending(self, keys: Iterable[str] | None = None) -> Overlay:
        """Everything that was changed in place and not saved, ready to be committed. Raises ValueRefused."""
        texts = {key: self.pending_text(key) for key in (self.handed_keys() if keys is None else keys)}
        return self._to_save({key: text for key, text in texts.items() if text is not None})

    def rewrite(self, key: str) -> Overlay:
        """The value of one key as it is now, changed or not, ready to be committed. Raises KeyError."""
        text = self.current_text(key)
        if text is None:
            raise KeyError(key)
        return self._to_save({key: bytes(text)})

    def _to_save(self, texts: dict[str, bytes]) -> Overlay:
        overlay = Overlay(self)
        for key, text in texts.items():
            before = self.text(key)
            if before is not None:  # another object may have removed the key meanwhile, and the value with it
                overlay.before[key] = before
                overlay.changed[key] = text
        overlay.gathered += overlay.changed.items()
        overlay.version = self.engine.version
        return overlay

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, key: str, text: bytes, value: Any) -> None:
        """One set as a commit of its own, which needs no sync."""
        lock = self._take_lock()
        try:
            before = self._commit_one(key, text)
            with self.mutex:
                if self._advance(before) and self.loaded:
                    self._stored[key] = text
                self._detach(key, value)
        finally:
            lock.release()

    def remove(self, key: str) -> None:
        """The same for one delete. Raises KeyError."""
        lock = self._take_lock()
        try:
            self.refresh()
            if not self.has(key):
                raise KeyError(key)
            before = self._commit_one(key, None)
            with self.mutex:
                if self._advance(before) and self.loaded:
                    del self._stored[key]
                self._detach(key, self)
        finally:
            lock.release()

    def _take_lock(self) -> Lock:
        lock = self.engine.lock
        if not lock.acquire(blocking=False):
            take_all((lock,))
        if self.scope is CLOSED:
            lock.release()
            raise StoreClosed(f"{self.name} was closed")
        return lock

    def _commit_one(self, key: str, text: bytes | None) -> int:
        """The version of the engine before the commit."""
        engine = self.engine
        before = engine.version
        try:
            engine.commit_batch((DomainChanges(engine, ((key, text),)),), _NOBODY, sync=False)
        except BaseException:
            self.distrust()
            raise
        return before

    def apply(self, overlay: Overlay) -> None:
        """Take over what the engine has just committed; values that were handed out before are detached."""
        with self.mutex:
            if self._advance(overlay.version) and self.loaded:
                stored = self._stored
                for key in overlay.removed:
                    del stored[key]
                if overlay.changed:
                    stored.update(overlay.changed)
                if overlay.added:
                    stored.update(overlay.added)
            values = overlay.values
            for key in chain(overlay.removed, overlay.changed, overlay.added):
                self._detach(key, values.get(key, self))

    def apply_saved(self, overlay: Overlay) -> None:
        """Take over saved changes in place; the values that were handed out stay live."""
        with self.mutex:
            if self._advance(overlay.version) and self.loaded:
                self._stored.update(overlay.changed)
            for key, text in overlay.changed.items():
                if key in self._handed:
                    self._handed[key] = (self._handed[key][0], text)

    def close(self) -> None:
        """Let go of the engine; who holds its lock calls this."""
        with self.mutex:
            self.scope = CLOSED
            self.live.clear()
            self._handed.clear()
        self.engine.close()

    # ----------------------------------------------------------------------------------------------------------------

    def _advance(self, before: int) -> bool:
        """Whether the content known here is what the commit was built on; otherwise the next read loads it anew."""
        if self.seen != before:
            return False
        after = self.engine.version
        if after - before > 1:
            return False
        self.seen = after
        return True

    def _detach(self, key: str, value: Any) -> None:
        self._handed.pop(key, None)
        if self.loaded and is_scalar(value):
            self.live[key] = value
        else:
            self.live.pop(key, None)

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
