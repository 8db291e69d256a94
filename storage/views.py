"""The views of a CachedDict: like those of a dict, but keys that vanish or cannot be read meanwhile are passed over."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Reversible, ValuesView
from typing import Any, Protocol

from storage.errors import UnreadableValue


class Source(Reversible[str], Protocol):
    """What the views need of a dict."""

    def __getitem__(self, key: str, /) -> Any: ...


class Keys(KeysView[str]):
    _mapping: Source

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._mapping)


class Items(ItemsView[str, Any]):
    _mapping: Source

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return readable(self._mapping, self._mapping)

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return readable(self._mapping, reversed(self._mapping))


class Values(ValuesView[Any]):
    _mapping: Source

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in readable(self._mapping, self._mapping))

    def __reversed__(self) -> Iterator[Any]:
        return (value for _, value in readable(self._mapping, reversed(self._mapping)))


def readable(source: Source, keys: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for key in keys:
        try:
            yield key, source[key]
        except (KeyError, UnreadableValue):
            continue
