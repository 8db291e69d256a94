"""From a typed word to a value: one converter per annotation."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from mooring.commands.people import Channel, Member
from mooring.durations import format_duration, parse_duration
from mooring.text import fold, one_of, suggestion

_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_YES = ("yes", "true", "on", "1", "y")
_NO = ("no", "false", "off", "0", "n")
_BOUNDS = {
    annotated_types.Ge: ("ge", "at least"),
    annotated_types.Gt: ("gt", "more than"),
    annotated_types.Le: ("le", "at most"),
    annotated_types.Lt: ("lt", "less than"),
}


class NotValid(Exception):
    """The word is not what the argument expects; the text, which may be empty, adds a hint."""


@dataclass(frozen=True)
class Converter:
    """How one word becomes a value. `convert` raises NotValid, or CommandError if it knows better words."""

    kind: str
    expects: str
    convert: Callable[[str, Channel], Any]
    choices: tuple[str, ...] = ()


def converter_for(base: Any, metadata: Sequence[Any], choices: tuple[str, ...]) -> Converter:
    """The converter for an annotation. Raises TypeError if no text could become such a value."""
    if choices:
        return _choice({word: word for word in choices})
    if base is Member:
        return Converter("member", "the @name of a member", _member)
    if get_origin(base) is Literal:
        return _choice({str(value): value for value in get_args(base)})
    if isinstance(base, type) and issubclass(base, Enum):
        return _choice({item.name.lower(): item for item in base})
    if base is bool:
        return Converter("boolean", "yes or no", _boolean, ("yes", "no"))
    bounds = _bounds(metadata)
    if base is int:
        return _checked(base, metadata, "integer", "a whole number" + bounds, _integer)
    if base is float:
        return _checked(base, metadata, "number", "a number" + bounds, _number)
    if base is timedelta:
        return _checked(base, metadata, "duration", "a duration like 90s, 10m or 1h30m" + bounds, _duration)
    if base is str:
        return _checked(str, metadata, "text", "a text" + bounds, lambda word: word)
    return _by_pydantic(base, metadata)


def _member(word: str, channel: Channel) -> Member:
    return channel.find(word)


def _choice(values: dict[str, Any]) -> Converter:
    by_fold = {fold(word): value for word, value in values.items()}

    def convert(word: str, _: Channel) -> Any:
        if fold(word) not in by_fold:
            raise NotValid(suggestion(word, values))
        return by_fold[fold(word)]

    return Converter("choice", one_of(values), convert, tuple(values))


def _boolean(word: str, _: Channel) -> bool:
    if fold(word) in _YES:
        return True
    if fold(word) in _NO:
        return False
    raise NotValid


def _integer(word: str) -> int:
    # int() would also take 1_000 and the digits of other scripts, which nobody types on purpose.
    if not _INTEGER.fullmatch(word):
        raise NotValid
    return int(word)


def _number(word: str) -> float:
    if not _NUMBER.fullmatch(word) or not math.isfinite(float(word)):
        raise NotValid
    return float(word)


def _duration(word: str) -> timedelta:
    try:
        return parse_duration(word)
    except ValueError as error:
        raise NotValid from error


def _checked(base: type, metadata: Sequence[Any], kind: str, expects: str, read: Callable[[str], Any]) -> Converter:
    constraints = [item for item in metadata if isinstance(item, FieldInfo | annotated_types.BaseMetadata)]
    if not constraints:
        return Converter(kind, expects, lambda word, _: read(word))
    adapter = _adapter(base, constraints)

    def convert(word: str, _: Channel) -> Any:
        try:
            return adapter.validate_python(read(word))
        except ValidationError as error:
            raise NotValid from error

    return Converter(kind, expects, convert)


def _by_pydantic(base: Any, metadata: Sequence[Any]) -> Converter:
    """Any other type that pydantic can read from a text: a Decimal, a date, a UUID, a type of the plugin's own."""
    adapter = _adapter(base, metadata)

    def convert(word: str, _: Channel) -> Any:
        try:
            return adapter.validate_python(word)
        except ValidationError as error:
            raise NotValid(f" {error.errors()[0]['msg']}.") from error

    return Converter("text", f"a {getattr(base, '__name__', str(base)).lower()}" + _bounds(metadata), convert)


def _adapter(base: Any, metadata: Sequence[Any]) -> TypeAdapter[Any]:
    annotation: Any = Annotated[(base, *metadata)] if metadata else base
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError as error:
        known = "str, int, float, bool, Literal, an Enum, Member, timedelta or a type that pydantic knows"
        raise TypeError(f"{base!r} cannot be read from a word; use {known}") from error


def _bounds(metadata: Sequence[Any]) -> str:
    """` from 1 to 100`, ` of at least 1`, or nothing."""
    found: dict[str, Any] = {}
    words: list[str] = []
    for item in metadata:
        for part in item.metadata if isinstance(item, FieldInfo) else [item]:
            for kind, (name, phrase) in _BOUNDS.items():
                if isinstance(part, kind):
                    found[name] = limit = getattr(part, name)
                    words.append(f"{phrase} {_shown(limit)}")
    if found.keys() == {"ge", "le"}:
        return f" from {_shown(found['ge'])} to {_shown(found['le'])}"
    return f" ({', '.join(words)})" if words else ""


def _shown(limit: Any) -> str:
    return format_duration(limit.total_seconds()) if isinstance(limit, timedelta) else str(limit)
