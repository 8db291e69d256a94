"""Values to JSON trees: what JSON lacks becomes a tag, what could not be restored exactly is refused with its path."""

from __future__ import annotations

import base64
import dataclasses
import json
import reprlib
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Any
from uuid import UUID

import msgspec

from storage.encoding.datetimes import write_moment, write_timedelta
from storage.encoding.registry import Registry
from storage.errors import ValueRefused

MAX_DEPTH = 200
"""How deep values may nest. One level takes up to three levels of JSON and three calls here, and all of them have to fit under Python's
recursion limit of 1000, at least on a stack that nothing else is on."""

PLAIN_INT = 1 << 512
"""Integers from here on are kept as hexadecimal: Python limits the length of decimal texts, and lets that limit be changed."""


class ValueWriter:
    """Turns one value into what msgspec can encode. For one use: it holds the path to the part in hand."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._registry = registry
        self._path = [name]
        self._open: set[int] = set()

    def write(self, value: Any) -> Any:
        """Raises ValueRefused."""
        kind = type(value)
        # A class may say that its objects are kept as a plain list, say, which is then what comes back.
        write = _WRITERS.get(kind) or _WRITERS.get(getattr(kind, "__stored_as__", kind))
        if write is not None:
            return write(self, value)
        if self._registry.name_of(kind) is None:
            raise self._refused(_why_unknown(kind))
        return self._enum(value) if issubclass(kind, Enum) else self._dataclass(value)

    def _refused(self, problem: str) -> ValueRefused:
        return ValueRefused("".join(self._path), problem)

    @contextmanager
    def _inside(self, container: object) -> Iterator[None]:
        if id(container) in self._open:
            raise self._refused("the value contains itself")
        if len(self._open) >= MAX_DEPTH:
            raise self._refused(f"the value nests deeper than {MAX_DEPTH} levels")
        self._open.add(id(container))
        yield
        self._open.discard(id(container))

    def _float(self, value: float) -> float:
        if value - value != 0:
            raise self._refused(f"{value!r} has no JSON form; keep None or a text instead")
        return value

    def _int(self, value: int) -> Any:
        return value if -PLAIN_INT < value < PLAIN_INT else {"$int": hex(value)}

    def _str(self, value: str) -> Any:
        return {"$text": quote_surrogates(value)} if has_surrogates(value) else value

    def _decimal(self, value: Decimal) -> Any:
        if not value.is_finite():
            raise self._refused(f"Decimal {value} is not a number that can be compared; keep None or a text instead")
        return {"$decimal": str(value)}

    def _moment(self, value: datetime | time) -> Any:
        try:
            return {"$datetime" if type(value) is datetime else "$time": write_moment(value)}
        except ValueError as error:
            raise self._refused(str(error)) from error

    def _dict(self, value: dict[Any, Any]) -> Any:
        with self._inside(value):
            written: dict[str, Any] = {}
            for key, item in value.items():
                if type(key) is not str:
                    raise self._refused(f"the dict key {reprlib.repr(key)} is of type {type(key).__name__}; keys are strings")
                self._path.append(f"[{json.dumps(key)}]")
                written[key] = self.write(item)
                self._path.pop()
        if any(has_surrogates(key) for key in written):
            return {"$dict": [[self._str(key), item] for key, item in written.items()]}
        if len(written) == 1 and next(iter(written)).startswith("$"):
            return {"$" + key: item for key, item in written.items()}
        return written

    # Loops and no comprehensions from here on: a comprehension is a call more on the stack, for each level.

    def _items(self, value: list[Any] | tuple[Any, ...]) -> list[Any]:
        written = []
        with self._inside(value):
            for index, item in enumerate(value):
                self._path.append(f"[{index}]")
                written.append(self.write(item))
                self._path.pop()
        return written

    def _members(self, value: Iterable[Any]) -> list[msgspec.Raw]:
        texts = []
        with self._inside(value):
            for member in value:
                self._path.append(f"{{{reprlib.repr(member)}}}")
                texts.append(msgspec.json.encode(self.write(member)))
                self._path.pop()
        return [msgspec.Raw(text) for text in sorted(texts)]

    def _enum(self, value: Enum) -> Any:
        kind = type(value)
        return {"$enum": [self._registry.name_of(kind), self._int(value.value) if issubclass(kind, Flag) else value.name]}

    def _dataclass(self, value: Any) -> Any:
        names = [field.name for field in dataclasses.fields(value)]
        strangers = sorted(set(_attributes(value)).difference(names))
        if strangers:
            raise self._refused(f"the attribute {strangers[0]!r} is no field of {type(value).__qualname__} and would be lost")
        with self._inside(value):
            content = {}
            for name in names:
                if not hasattr(value, name):
                    raise self._refused(f"the field {name!r} of {type(value).__qualname__} was never set")
                self._path.append(f".{name}")
                content[name] = self.write(getattr(value, name))
                self._path.pop()
        return {"$data": [self._registry.name_of(type(value)), content]}


def has_surrogates(text: str) -> bool:
    """Surrogate code points are legal in Python strings, and in no UTF-8."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def quote_surrogates(text: str) -> str:
    """A percent-encoded form of any string. JSON's own escapes would not do: a pair of them means one other character."""
    return urllib.parse.quote(text, safe=" ", errors="surrogatepass")


def unquote_surrogates(text: str) -> str:
    """The inverse; raises ValueError for what `quote_surrogates` cannot have written."""
    return urllib.parse.unquote_to_bytes(text).decode("utf-8", "surrogatepass")


def _attributes(value: Any) -> Iterator[str]:
    yield from getattr(value, "__dict__", ())
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name


def _why_unknown(kind: type) -> str:
    name = kind.__qualname__
    if issubclass(kind, Enum) or dataclasses.is_dataclass(kind):
        return f"{name} is not registered; put the line @register above the class, or register({name}) below it (from storage import register)"
    for base in kind.__mro__[1:]:
        if base in _WRITERS:
            return f"{name} is a subclass of {base.__name__} and would come back as a plain {base.__name__}; convert it first"
    return f"values of type {name} cannot be kept"


_WRITERS: dict[type, Callable[[ValueWriter, Any], Any]] = {
    type(None): lambda writer, value: value,
    bool: lambda writer, value: value,
    int: ValueWriter._int,
    float: ValueWriter._float,
    str: ValueWriter._str,
    dict: ValueWriter._dict,
    list: ValueWriter._items,
    tuple: lambda writer, value: {"$tuple": writer._items(value)},
    set: lambda writer, value: {"$set": writer._members(value)},
    frozenset: lambda writer, value: {"$frozenset": writer._members(value)},
    bytes: lambda writer, value: {"$bytes": base64.b64encode(value).decode()},
    datetime: ValueWriter._moment,
    time: ValueWriter._moment,
    date: lambda writer, value: {"$date": value.isoformat()},
    timedelta: lambda writer, value: {"$timedelta": write_timedelta(value)},
    Decimal: ValueWriter._decimal,
    UUID: lambda writer, value: {"$uuid": str(value)},
}
