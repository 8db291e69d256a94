"""What stands between a dict and its engine: reads and writes outside of transactions, and what a commit leaves."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import chain
from threading import Lock
from typing import Any

from storage.database_interface import DatabaseInterface, Finding
from storage.dicts.content import Content
from storage.dicts.locks import take_all
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED, is_inside
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.encoding.texts import encode_item, is_scalar, item_path, same_text
from storage.errors import StoreClosed, UnreadableValue

_log = logging.getLogger(__name__)


class DictState(Content):
    """The content of one dict, as the code in and outside of transactions sees and changes it."""

    __slots__ = ("_unreadable", "findings", "group")

    def __init__(self, engine: DatabaseInterface, name: str) -> None:
        super().__init__(engine, name)
        self.group = engine.group()
        self.findings: list[Finding] = []
        self._unreadable: set[str] = set()

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
        if not lock.acquire(False):
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
            engine.commit_one(key, text)
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

    def _detach(self, key: str, value: Any) -> None:
        self._handed.pop(key, None)
        if self.loaded and is_scalar(value):
            self.live[key] = value
        else:
            self.live.pop(key, None)
