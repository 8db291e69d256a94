"""What dicts ask about values and their stored texts."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any
from uuid import UUID

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import KeyRefused, ValueRefused

SCALARS = frozenset({str, int, float, bool, NoneType, bytes, Decimal, UUID, date, datetime, time, timedelta})


def is_scalar(value: Any) -> bool:
    """Whether no part of the value can be changed in place. A tuple is none: it may hold a list."""
    kind = type(value)
    return kind in SCALARS or Enum in kind.__mro__


def same_text(text: bytes, known: Encoded) -> bool:
    """Whether a text that was just encoded says the same as a stored one.

    Texts that this process encoded are compared as they are. A loaded one may have been written by a person, with
    other spacing, and is brought into our own form before it counts as different.
    """
    if type(known) is bytes:
        return text == known
    return text == bytes(known) or text == codec.encode(codec.decode(known))


def encode_item(name: str, key: str, value: Any) -> bytes:
    """Encode the value; a refusal names the dict and the key."""
    try:
        return codec.encode(value)
    except ValueRefused as error:
        place = item_path(name, key)
        raise ValueRefused(place + error.path.removeprefix("value"), error.problem) from error


def item_path(name: str, key: str) -> str:
    return f"{name}[{json.dumps(key)}]"


def plain_key(key: object) -> str:
    """The key as a plain string, as it will come back from the engine; raises KeyRefused for what is none."""
    if not isinstance(key, str):
        raise KeyRefused(key)
    return str.__str__(key)
