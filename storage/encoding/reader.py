"""JSON trees back to values. Builds only what the tags name: built-in types and registered classes."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, Flag
from typing import Any
from uuid import UUID

from storage.encoding.datetimes import read_moment, read_timedelta
from storage.encoding.registry import Registry
from storage.encoding.writer import unquote_surrogates
from storage.errors import UnreadableValue


class ValueReader:
    """Restores what ValueWriter wrote."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def read(self, tree: Any) -> Any:
        """Reuses the lists and dicts of the tree. Raises UnreadableValue, or the error of the constructor that refused."""
        if type(tree) is list:
            for index, item in enumerate(tree):
                tree[index] = self.read(item)
            return tree
        if type(tree) is not dict:
            return tree
        if len(tree) == 1:
            [(tag, content)] = tree.items()
            if tag.startswith("$$"):
                return {tag[1:]: self.read(content)}
            if tag.startswith("$"):
                restore = _READERS.get(tag)
                if restore is None:
                    raise UnreadableValue(f"the tag {tag!r} is unknown; a later version of Mooring may have written it")
                return restore(self, content)
        for key, item in tree.items():
            tree[key] = self.read(item)
        return tree

    # Loops and no comprehensions, which would be a call more on the stack for each level.

    def _items(self, content: Any) -> list[Any]:
        items = []
        for item in _checked(list, content):
            items.append(self.read(item))
        return items

    def _dict(self, content: Any) -> dict[str, Any]:
        items = {}
        for key, item in _checked(list, content):
            items[_checked(str, self.read(key))] = self.read(item)
        return items

    def _decimal(self, content: Any) -> Decimal:
        number = Decimal(_checked(str, content))
        if not number.is_finite():
            raise UnreadableValue(f"{number} is no finite number")
        return number

    def _class(self, name: Any, base: type | None = None) -> Any:
        cls = self._registry.class_of(name)
        if cls is None:
            raise UnreadableValue(f"the class {name!r} is not registered here; import what registers it before its values are read")
        if (base is Enum) != issubclass(cls, Enum):
            raise UnreadableValue(f"the class {name!r} has become another kind of class since its value was stored")
        return cls

    def _enum(self, content: Any) -> Enum:
        name, member = _checked(list, content)
        cls = self._class(name, Enum)
        found: Enum = cls(_checked(int, self.read(member))) if issubclass(cls, Flag) else cls.__members__[member]
        return found

    def _dataclass(self, content: Any) -> Any:
        name, stored = _checked(list, content)
        cls = self._class(name)
        fields = dataclasses.fields(cls)
        unknown = sorted(set(_checked(dict, stored)).difference(field.name for field in fields))
        if unknown:
            raise UnreadableValue(f"{name} has no field {unknown[0]!r}; it was stored by another version of the class")
        # No __init__: it may have effects, and may not accept what was once valid. object's own __setattr__ reaches frozen fields.
        restored = object.__new__(cls)
        for field in fields:
            value = self.read(stored[field.name]) if field.name in stored else _default(name, field)
            object.__setattr__(restored, field.name, value)
        return restored


def _default(name: str, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    raise UnreadableValue(f"the field {field.name!r} of {name} is missing and has no default")


def _checked(kind: type, content: Any) -> Any:
    if type(content) is not kind:
        raise UnreadableValue(f"a {kind.__name__} was expected, not a {type(content).__name__}")
    return content


_READERS: dict[str, Callable[[ValueReader, Any], Any]] = {
    "$int": lambda reader, content: int(_checked(str, content), 16),
    "$text": lambda reader, content: unquote_surrogates(_checked(str, content)),
    "$dict": ValueReader._dict,
    "$tuple": lambda reader, content: tuple(reader._items(content)),
    "$set": lambda reader, content: set(reader._items(content)),
    "$frozenset": lambda reader, content: frozenset(reader._items(content)),
    "$bytes": lambda reader, content: base64.b64decode(_checked(str, content), validate=True),
    "$datetime": lambda reader, content: read_moment(datetime, content),
    "$time": lambda reader, content: read_moment(time, content),
    "$date": lambda reader, content: date.fromisoformat(content),
    "$timedelta": lambda reader, content: read_timedelta(content),
    "$decimal": ValueReader._decimal,
    "$uuid": lambda reader, content: UUID(_checked(str, content)),
    "$enum": ValueReader._enum,
    "$data": ValueReader._dataclass,
}
