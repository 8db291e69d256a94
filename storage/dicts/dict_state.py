"""One dict between its content and its engine: whose transaction is open, and single writes outside of transactions."""

from __future__ import annotations

from asyncio import _get_running_loop
from contextlib import AbstractContextManager
from typing import Any

from storage.database_interface import DatabaseInterface
from storage.dicts.content import Content
from storage.dicts.locks import held
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED, Scope, exclusive_around, innermost, scope_over
from storage.encoding.texts import is_scalar
from storage.errors import ForeignDict, StoreClosed, TransactionEnded


class DictState:
    """What CachedDict, transactions and storages share of one dict."""

    __slots__ = ("content", "engine", "is_joint", "name", "scope")

    def __init__(self, engine: DatabaseInterface, name: str) -> None:
        self.engine = engine
        self.name = name
        self.content = Content(engine, name)
        self.scope: Scope | None = None
        """The transaction that is open over this dict, or CLOSED."""
        self.is_joint = False
        """Whether it takes part in the transactions of other storages as well."""

    def overlay(self) -> Overlay | None:
        """The view of the transaction that the running code is in, or None outside. Raises StoreClosed, TransactionEnded."""
        current = innermost.get()
        if current is not None and current is self.scope and current.is_open:
            return current.overlays.get(self.content) or current.overlay(self.content)
        if self.scope is CLOSED:
            raise StoreClosed(f"{self.name} was closed")
        if current is None:
            return None
        scope = scope_over(self.engine.lock)
        if scope is None and not self.is_joint:
            return None
        if not (scope or current).is_open:
            raise TransactionEnded(f"the transaction over {self.name} in which this code was started has ended; it needs one of its own from here on")
        return self._join(current) if scope is None else scope.overlay(self.content)

    def _join(self, scope: Scope) -> Overlay:
        found = scope.overlays.get(self.content)
        if found is None:
            self.refresh()
            found = scope.join(self)
        return found

    def overlay_to_change(self) -> Overlay | None:
        """The same for whoever is about to change something. Raises ForeignDict, too."""
        overlay = self.overlay()
        if overlay is None:
            scope = exclusive_around()
            if scope is not None:
                raise ForeignDict(f"{self.name} is a dict of another storage than that of the transaction in hand; {scope.exclusive}")
        return overlay

    def refresh(self) -> None:
        """Catch up with commits of other objects, unless a transaction is open: until its end the content stays as it is."""
        content = self.content
        if content.seen != self.engine.version and self.scope is None:
            if self.engine.followed and content.is_behind:
                return  # who follows will see to it, without making a reader wait
            content.load(keep_mode=True)

    def read(self, key: str) -> Any:
        """As `Content.read`, of the newest content. Inside an exclusive transaction of others it is a copy, which must not be changed."""
        scope = None if innermost.get() is None else exclusive_around()
        self.refresh()
        if scope is None:
            return self.content.read(key)
        known = scope.foreign.get((self.content, key))
        if known is not None:
            return known[0]
        text = self.content.text(key)
        if text is None:
            raise KeyError(key)
        value = self.content.decode(key, text)
        if not is_scalar(value):
            scope.foreign[self.content, key] = (value, text)
        return value

    def put(self, key: str, text: bytes, value: Any) -> None:
        """One set as a commit of its own, which needs no sync."""
        content = self.content
        with self._lock_to_change():
            before = self._commit_one(key, text)
            if content.mutex.locked() and content.cannot_change():
                return
            with content.mutex.lock:
                if content.advance(before) and content.loaded:
                    content.stored[key] = text
                content.detach(key, value)

    def remove(self, key: str) -> None:
        """The same for one delete. Raises KeyError."""
        content = self.content
        with self._lock_to_change():
            self.refresh()
            if not content.has(key):
                raise KeyError(key)
            before = self._commit_one(key, None)
            if content.cannot_change():
                return
            with content.mutex.lock:
                if content.advance(before) and content.loaded:
                    del content.stored[key]
                content.detach(key, self)

    def close(self) -> None:
        """Let go of the engine; who holds its lock calls this."""
        with self.content.mutex.ready():
            self.scope = CLOSED
            self.content.live.clear()
            self.content.handed.clear()
        self.engine.close()

    def _lock_to_change(self) -> AbstractContextManager[object]:
        lock = self.engine.lock
        lock.refuse_fork()  # first, as a lock that a fork has caught in its change looks free, and is not
        if lock.locked() or _get_running_loop() is not None:
            return held((lock,))  # a loop must not wait for a thread that took it in the last moment
        return lock.lock

    def _commit_one(self, key: str, text: bytes | None) -> int:
        """The version of the engine before the commit."""
        if self.scope is CLOSED:
            raise StoreClosed(f"{self.name} was closed")
        before = self.engine.version
        try:
            self.engine.commit_one(key, text)
        except BaseException:
            self.content.invalidate()
            raise
        return before
