"""Documents as they are kept: JSON values only, copied on the way in and on the way out.

A document in memory is never changed, only replaced; so a list of them is a consistent view however long it is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

Document = dict[str, Any]

DEEPEST = 200
"""Levels of a document. Far from where Python gives up, so that whatever could be stored can be read and compared anywhere."""

_PLAIN = frozenset({str, int, bool, type(None)})
_PLAIN_OR_FLOAT = _PLAIN | {float}
_MUTABLE = frozenset({list, dict})
_TEXT = frozenset({str})
_encode_fast = msgspec.json.Encoder().encode
# What stock TinyDB writes, but NaN and infinities, which are not JSON, are refused. ASCII, because a stock TinyDB opens its
# file in the encoding of the system that it runs on.
_stock_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_tolerant_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def encode_document(document: Mapping[str, Any]) -> tuple[Document, bytes]:
    """A private copy of the document as it will be read back, and its JSON text.

    Raises TypeError or ValueError for what is not JSON. As in stock TinyDB, tuples become lists and keys become strings.
    """
    if is_flat(document):
        content = dict(document)  # the encoder knows no other mappings
        try:
            return content, _encode_fast(content)
        except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError):
            pass  # a lone surrogate, or an integer beyond 64 bits: the standard library knows both
    try:
        text = _stock_encoder.encode(dict(document))
        kept = json.loads(text)
        if not _is_shallow(kept):
            raise RecursionError
    except RecursionError:
        raise ValueError(f"the document is nested deeper than {DEEPEST} levels") from None
    return kept, text.encode("ascii")


def stock_text(document: Document) -> str:
    """The document as it stands in the file. NaN that an older file brought along is kept as it was."""
    return _tolerant_encoder.encode(document)


def decode(text: bytes) -> Any:
    """JSON as the standard library reads it, fast where that makes no difference. Raises ValueError."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # NaN and lone surrogates, which stock TinyDB writes
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_flat(document: Mapping[str, Any]) -> bool:
    """Whether no value can be changed in place, nor is written otherwise than it is."""
    types = set(map(type, document.values()))
    if not types <= _PLAIN:
        if not types <= _PLAIN_OR_FLOAT:
            return False
        if not all(isfinite(value) for value in document.values() if type(value) is float):
            return False
    return _TEXT.issuperset(map(type, document))


def holds_mutable(document: Document) -> bool:
    return not _MUTABLE.isdisjoint(map(type, document.values()))


def private_copy(document: Document) -> Document:
    """A copy that its receiver may change at any depth."""
    if not holds_mutable(document):
        return document.copy()
    copied: Document = _copied(document)
    return copied


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    if type(value) is list:
        return [_copied(each) for each in value]
    return value


def _is_shallow(document: Document) -> bool:
    """Level by level, because what is to be found out is whether functions may call themselves for each."""
    level: list[Any] = [document]
    for _ in range(DEEPEST):
        level = [each for value in level for each in (value.values() if type(value) is dict else value) if type(each) in _MUTABLE]
        if not level:
            return True
    return False


def same_value(one: Any, other: Any) -> bool:
    """Equal, and of equal types at every depth: to JSON, 1, 1.0 and true are three values."""
    if type(one) is not type(other):
        return False
    if type(one) is dict:
        return len(one) == len(other) and all(key in other and same_value(value, other[key]) for key, value in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(same_value, one, other))
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN is the value that is not itself
