"""How much the dicts of a storage hold, and how much the open transaction would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.dicts.cached_dict import CachedDict
from storage.dicts.content import Content
from storage.dicts.scope import enclosing
from storage.moobius_storage import MoobiusStorage


@dataclass(frozen=True)
class Usage:
    """Keys, and bytes of values in their stored form. Growth is negative where more was removed than added."""

    keys: int = 0
    size: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.keys + other.keys, self.size + other.size)


def usage_of(dicts: Sequence[CachedDict]) -> Usage:
    """What the dicts hold, with what is on its way. Those that are not loaded count with their keys only."""
    total = Usage()
    for content in _contents(dicts):
        size = sum(len(bytes(text)) for text in list(content.stored.values()))  # a list, as other threads may ask
        for key, (text, *_) in list(content.ahead.newest.items()):
            size += (0 if text is None else len(bytes(text))) - len(bytes(content.stored.get(key, b"")))
        total += Usage(content.newest_count(), size)
    return total


def usage_by_dict(storage: MoobiusStorage) -> list[tuple[str, Usage]]:
    """What each loaded dict of the storage holds that is not one of `system`. May be asked in any thread, and asks no engine."""
    dicts = [(name, getattr(storage, name)) for name in storage.names()]
    return [(name, usage_of([each])) for name, each in dicts if each.is_loaded]


def growth_of(storage: MoobiusStorage, dicts: Sequence[CachedDict]) -> Usage:
    """What the transaction of the storage around the running code has added to these of its dicts so far; nothing outside of one.

    Raises ValueRefused for a value that was changed in place into one that cannot be kept.
    """
    scope = enclosing(storage, storage._locks)
    total = Usage()
    if scope is None:
        return total
    contents = set(_contents(dicts))
    for content, overlay in list(scope.overlays.items()):
        if content in contents and overlay.gather():
            total += Usage(keys=len(overlay.added) - len(overlay.removed))
            for key, text in overlay.gathered:
                before = overlay.before.get(key)
                total += Usage(size=(0 if text is None else len(bytes(text))) - (0 if before is None else len(bytes(before))))
    return total


def _contents(dicts: Sequence[CachedDict]) -> list[Content]:
    return [each._content for each in dicts]


def changed_in(storage: MoobiusStorage, name: str) -> list[str]:
    """The keys of one dict that the transaction around the running code has set or changed in place so far.

    Raises ValueRefused for a value that was changed in place into one that cannot be kept.
    """
    scope = enclosing(storage, storage._locks)
    overlay = None if scope is None else scope.overlays.get(getattr(storage, name)._content)
    if overlay is None or not overlay.gather():
        return []
    return [key for key, text in overlay.gathered if text is not None]
