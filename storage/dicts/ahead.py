"""What was handed to an engine and is not over yet, as overlapping transactions see it over the committed content."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, Final, Protocol

from storage.encoding.codec import Encoded
from storage.encoding.texts import is_scalar

NOT_DECODED: Final = object()


class Changes(Protocol):
    """What one transaction did to the dict."""

    @property
    def removed(self) -> Mapping[str, None]: ...

    @property
    def changed(self) -> Mapping[str, Encoded]: ...

    @property
    def added(self) -> Mapping[str, Encoded]: ...

    @property
    def values(self) -> Mapping[str, Any]: ...


class Ahead:
    """The changes of one dict that are in flight, oldest first.

    Who changes it holds the mutex of the content. Who only looks up a key needs none: what has become durable is in the committed
    content before it goes from here.
    """

    __slots__ = ("newest", "pending")

    def __init__(self) -> None:
        self.pending: deque[Changes] = deque()
        self.newest: dict[str, tuple[Encoded | None, Any, Changes]] = {}
        """For each key its text (None: removed), its value if that is a scalar, and who set it."""

    def push(self, changes: Changes) -> None:
        """They were handed in, on top of all that is here."""
        self.pending.append(changes)
        newest = self.newest
        for key in changes.removed:
            newest[key] = (None, NOT_DECODED, changes)
        values = changes.values
        for key, text in chain(changes.changed.items(), changes.added.items()):
            value = values.get(key, NOT_DECODED)
            newest[key] = (text, value if value is not NOT_DECODED and is_scalar(value) else NOT_DECODED, changes)

    def pop(self) -> None:
        """The oldest are in the committed content now."""
        changes = self.pending.popleft()
        newest = self.newest
        for key in chain(changes.removed, changes.changed, changes.added):
            known = newest.get(key)
            if known is not None and known[2] is changes:
                del newest[key]

    def clear(self) -> None:
        """They have failed."""
        self.pending.clear()
        self.newest.clear()

    def key_list(self, committed: Iterable[str]) -> list[str]:
        """All keys in the order that they will have."""
        keys = dict.fromkeys(committed)
        for changes in self.pending:
            for key in changes.removed:
                keys.pop(key, None)
            for key in changes.added:
                # Not where it was: a part of the pending changes may be in the committed content already.
                keys.pop(key, None)
                keys[key] = None
        return list(keys)

    def more_keys(self) -> int:
        """By how many keys the dict will have grown."""
        return sum(len(changes.added) - len(changes.removed) for changes in self.pending)
