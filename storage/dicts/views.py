"""The views of a CachedDict: like those of a dict, but keys that vanish or cannot be read meanwhile are passed over."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Reversible, ValuesView
from types import MappingProxyType
from typing import Any, Protocol

from storage.errors import UnreadableValue


class Source(Reversible[str], Protocol):
    """What the views need of a dict."""

    def __getitem__(self, key: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


class CachedKeys(KeysView[str]):
    _mapping: Source

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The dict, read-only."""
        return MappingProxyType(self._mapping)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._mapping)


class CachedItems(ItemsView[str, Any]):
    _mapping: Source

    @property
    def mapping(self) -> Mapping[str, Any]:
        return MappingProxyType(self._mapping)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, tuple) and len(item) == 2 and super().__contains__(item)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return readable(self._mapping, self._mapping)

    def __reversed__(self) -> Iterator[tuple[str, Any]]:
        return readable(self._mapping, reversed(self._mapping))


class CachedValues(ValuesView[Any]):
    _mapping: Source

    @property
    def mapping(self) -> Mapping[str, Any]:
        return MappingProxyType(self._mapping)

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
