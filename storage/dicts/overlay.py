"""What one transaction changes in one dict, laid over the committed content, which stays as it is."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from storage.dicts.content import Content
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.encoding.texts import encode_item, is_scalar, same_text
from storage.errors import ValueRefused

_MISSING: Final = object()


class Overlay:
    """The view that the code inside the transaction has.

    A dict keeps its order: overwriting leaves a key where it is, and a key that was removed and set again goes to the end.
    That is why `changed` (keys that keep their place) and `added` (keys at the end) are apart, and why a key can be both in
    `removed` and in `added`.
    """

    __slots__ = ("added", "base", "before", "changed", "content", "detached", "gathered", "handed", "removed", "tail", "undone", "values", "version")

    def __init__(self, content: Content) -> None:
        self.content = content
        self.removed: dict[str, None] = {}
        self.changed: dict[str, Encoded] = {}
        self.added: dict[str, Encoded] = {}
        self.before: dict[str, Encoded] = {}
        """The committed text of each key that was changed, removed or handed out."""
        self.gathered: list[tuple[str, Encoded | None]] = []
        """What the engine has to do, once `gather` was called."""
        self.version = 0
        """The version of the engine that this builds on."""
        self.base: int | None = None
        """What the engine said at the beginning of the transaction."""
        self.values: dict[str, Any] = {}
        """Decoded: what was read or set here and is good until the end, or until it is set again."""
        self.handed: set[str] = set()
        """The keys of the values that can be changed in place."""
        self.tail: Iterator[str] | None = None
        """The committed keys that `last_key` has not looked at yet, the last first."""
        self.detached: list[Any] = []
        """What was handed out of keys that were removed or set anew after that."""
        self.undone: list[tuple[Any, bytes]] = []
        """What was handed out or made in a part that was undone, with its text then."""

    def read(self, key: str) -> Any:
        """The value, live until the end of the transaction. Raises KeyError, UnreadableValue."""
        value = self.values.get(key, _MISSING)
        if value is not _MISSING:
            return value
        text = self.added.get(key) or self.changed.get(key)
        if text is None:
            if key in self.removed:
                raise KeyError(key)
            content = self.content
            newest = content.ahead.newest
            known = newest.get(key) if newest else None
            value = content.live.get(key, _MISSING) if known is None else known[1]
            if value is not _MISSING and is_scalar(value):
                self.values[key] = value
                return value
            committed = content.text(key) if known is None else known[0]
            if committed is None:
                raise KeyError(key)
            self.before[key] = committed
            text = (content.pending_text(key) if known is None else None) or committed
        value = self.content.decode(key, text)
        if not is_scalar(value):
            self.handed.add(key)
        # Two threads inside may get here at once, and both must go away with the same object.
        return self.values.setdefault(key, value)

    def current_text(self, key: str) -> Encoded | None:
        """The text of the value as it is now, without handing the value out."""
        if key in self.handed:
            return encode_item(self.content.name, key, self.values[key])
        text = self.added.get(key) or self.changed.get(key)
        if text is not None or key in self.removed:
            return text
        known = self.content.ahead.newest.get(key)
        return self.content.current_text(key) if known is None else known[0]

    def write(self, key: str, text: bytes, value: Any) -> None:
        if key in self.changed:
            self.changed[key] = text
        elif key in self.added or key in self.removed or (before := self._before(key)) is None:
            self.added[key] = text
        else:
            self.before[key] = before
            self.changed[key] = text
        if key in self.handed:
            self._detach(key)
        if is_scalar(value):
            self.values[key] = value
        else:
            self.values.pop(key, None)

    def delete(self, key: str) -> None:
        """Raises KeyError if the key is not there."""
        if key in self.added:
            del self.added[key]
        else:
            before = None if key in self.removed else self._before(key)
            if before is None:
                raise KeyError(key)
            self.before[key] = before
            self.changed.pop(key, None)
            self.removed[key] = None
        if key in self.handed:
            self._detach(key)
        self.values.pop(key, None)

    def _detach(self, key: str) -> None:
        self.handed.discard(key)
        self.detached.append(self.values[key])

    def has(self, key: str) -> bool:
        return key in self.added or key in self.changed or (key not in self.removed and self.content.newest_has(key))

    def count(self) -> int:
        return self._before_count() - len(self.removed) + len(self.added)

    def key_list(self) -> list[str]:
        keys = self._before_keys()
        if self.removed:
            keys = [key for key in keys if key not in self.removed]
        keys.extend(self.added)
        return keys

    def last_key(self) -> str | None:
        """The key that `popitem` takes."""
        if self.added:
            return next(reversed(self.added))
        if self.tail is None:
            # Kept from call to call: committed keys do not change meanwhile, and a removed one never comes back to its place.
            self.tail = reversed(self._before_keys())
        return next((key for key in self.tail if key not in self.removed), None)

    def gather(self) -> bool:
        """Look for changes in place, find out what the engine has to do, and say whether anything was done to the dict.

        Raises ValueRefused for a value that was changed in place into one that cannot be kept.
        """
        if self.undone:
            self._refuse_undone_changes()
        for key in tuple(self.handed):
            text = encode_item(self.content.name, key, self.values[key])
            if key in self.added:
                self.added[key] = text
            elif not same_text(text, self.changed.get(key) or self.before[key]):
                self.changed[key] = text
        if not (self.removed or self.changed or self.added):
            return False
        gathered: list[tuple[str, Encoded | None]] = []
        if self.removed:
            gathered += [(key, None) for key in self.removed]
        for item in self.changed.items():
            # Setting what is there already is no work for the engine, but it overrules unsaved changes in place.
            if item[1] != bytes(self.before[item[0]]):
                gathered.append(item)
        if self.added:
            gathered += self.added.items()
        self.gathered = gathered
        self.base = self.content.base
        self.version = self.content.engine.version
        return True

    def _refuse_undone_changes(self) -> None:
        for value, text in self.undone:
            if codec.encode(value) != text:
                problem = f"{reprlib.repr(value)} was changed after the part of the transaction in which it was read or made had been undone"
                raise ValueRefused(self.content.name, f"{problem}; read the value again")

    def undo(self) -> list[tuple[str, Encoded | None]]:
        """What brings an engine that did what was gathered back to the committed content.

        Where all keys are known, their order comes back too: what stood after the first removed key is set anew.
        """
        changes: list[tuple[str, Encoded | None]] = [(key, None) for key in self.added]
        changes += [(key, self.before[key]) for key in self.changed]
        if not self.removed or not self.content.loaded:
            return changes + [(key, self.before[key]) for key in self.removed]
        keys = self.content.key_list()
        first = next(place for place, key in enumerate(keys) if key in self.removed)
        for key in keys[first:]:
            text = self._before(key)
            if key not in self.removed:
                changes.append((key, None))
            if text is not None:
                changes.append((key, text))
        return changes

    def apply(self) -> None:
        """Take over what the engine has just committed; values that were handed out before are detached."""
        content = self.content
        if not content.cannot_change():
            with content.mutex.lock:
                self._apply(known=content.advance(self.version))

    def hand_in(self) -> None:
        """What was gathered goes to the engine now; the transactions that follow build on it."""
        with self.content.mutex.ready():
            self.content.ahead.push(self)

    def apply_handed_in(self) -> None:
        """As `apply`, for the oldest of those that were handed in."""
        content = self.content
        with content.mutex.ready():
            self._apply(known=content.advance_own() if self.gathered else True)
            content.ahead.pop()

    def _apply(self, *, known: bool) -> None:
        content = self.content
        if known and content.loaded:
            stored = content.stored
            for key in self.removed:
                stored.pop(key, None)
            if self.changed:
                stored.update(self.changed)
            if self.added:
                stored.update(self.added)
        # Where what is committed now is only learned later, somebody else may have been there since, and our values may be old already.
        values = self.values if known else {}
        for key in chain(self.removed, self.changed, self.added):
            content.detach(key, values.get(key, _MISSING))

    def _before(self, key: str) -> Encoded | None:
        return self.before.get(key) or self.content.newest_text(key)

    def _before_keys(self) -> list[str]:
        return self.content.newest_keys()

    def _before_count(self) -> int:
        return self.content.newest_count()
