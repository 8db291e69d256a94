"""Values as JSON text, exactly, or not at all.

Every encoded text is one line of valid UTF-8 and strict JSON, whatever the value holds, so that it can be embedded as it is
in journals, snapshots and messages. What JSON has no form for is a tag: an object whose only key starts with `$`, as in
`{"$set":[1,2]}`. A plain dict that looks like a tag is written with one more `$`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

import msgspec

from storage.encoding.reader import ValueReader
from storage.encoding.registry import Registry
from storage.encoding.writer import MAX_DEPTH, PLAIN_INT, ValueWriter, has_surrogates, quote_surrogates, unquote_surrogates
from storage.errors import UnreadableValue, ValueRefused

T = TypeVar("T")

Encoded = bytes | msgspec.Raw
"""JSON text as `encode` writes it. `bytes(encoded)` gives the text of either form."""

_DEFAULT_REGISTRY = Registry()
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode
_LEAST_INT = -PLAIN_INT
_PLAIN_TYPES = frozenset({str, bool, type(None)})
_PLAIN_CONTAINERS = frozenset({dict, list})

register = _DEFAULT_REGISTRY.register
registered_classes = _DEFAULT_REGISTRY.classes
redefining = _DEFAULT_REGISTRY.redefining


def encode(value: Any, *, name: str = "value", registry: Registry = _DEFAULT_REGISTRY) -> bytes:
    """The JSON text of the value; equal text means an equal value of the same types.

    Raises ValueRefused for what `decode` could not restore exactly; its path starts with `name`.
    """
    try:
        if _is_plain(value, MAX_DEPTH - 1):
            return _to_json(value)
        fields = registry.plain_fields(type(value))
        # Bars and their like: a dataclass of plain values, whose attributes are in the order of its fields as they were set.
        if fields is not None and tuple(attributes := value.__dict__) == fields and len(fields) > 1 and _is_plain(attributes, MAX_DEPTH - 2):
            return _to_json({"$data": [registry.name_of(type(value)), attributes]})
    except (UnicodeEncodeError, RecursionError):
        pass  # surrogates are for the writer to keep, and the writer tells where the nesting is too deep
    try:
        try:
            return _encode(value, name, registry)
        except RecursionError:
            return _on_a_new_stack(lambda: _encode(value, name, registry))
    except RecursionError as error:
        raise ValueRefused(name, "the value nests too deep for the stack that is left here") from error


def decode(encoded: Encoded, *, registry: Registry = _DEFAULT_REGISTRY) -> Any:
    """A new value, equal to the one that was encoded. Raises UnreadableValue and nothing else."""
    try:
        try:
            return _decode(encoded, registry)
        except RecursionError:
            return _on_a_new_stack(lambda: _decode(encoded, registry))
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, OSError, RecursionError) as error:
        raise UnreadableValue(f"the stored text cannot be decoded: {type(error).__name__}: {error}") from error


def _read_plain_data(tree: Any, registry: Registry) -> Any:
    """The object of a dataclass that holds nothing but plain values; None if it takes more care to restore."""
    content = tree["$data"]
    if len(tree) != 1 or type(content) is not list or len(content) != 2 or type(content[1]) is not dict:
        return None
    cls = registry.class_of(content[0])
    if cls is None or registry.plain_fields(cls) != tuple(content[1]):
        return None
    restored: Any = object.__new__(cls)
    restored.__dict__.update(content[1])
    return restored


def escape_key(key: str) -> str:
    """A form of the key that fits into JSON objects beside names of our own, which start with one `$`. Different keys stay different."""
    if has_surrogates(key):
        return "$%" + quote_surrogates(key)
    return "$" + key if key.startswith("$") else key


def unescape_key(text: str) -> str:
    """The key that `escape_key` was given; raises UnreadableValue for what it cannot have returned."""
    if not text.startswith("$"):
        return text
    try:
        key = unquote_surrogates(text[2:]) if text.startswith("$%") else text[1:]
    except ValueError as error:
        raise UnreadableValue(f"the key {text!r} cannot be decoded: {error}") from error
    if escape_key(key) != text:
        raise UnreadableValue(f"{text!r} is no escaped key")
    return key


def _encode(value: Any, name: str, registry: Registry) -> bytes:
    return _to_json(ValueWriter(registry, name).write(value))


def _decode(encoded: Encoded, registry: Registry) -> Any:
    tree = _from_json(encoded)
    text = bytes(encoded)
    # Most values hold no tag, and then the text has no such pair of characters: no need to walk through them.
    if b'"$' not in text:
        return tree
    if text.startswith(b'{"$data":') and text.count(b'"$') == 1 and (value := _read_plain_data(tree, registry)) is not None:
        return value
    return ValueReader(registry).read(tree)


def _on_a_new_stack(work: Callable[[], T]) -> T:
    """The result of the work, done in a thread of its own, for values that nest deeper than there is room left on this stack."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
            errors.append(error)

    thread = Thread(target=run, name="mooring-deep-value")
    thread.start()
    thread.join()
    if errors:
        raise errors[0] from None
    return results[0]


def _is_plain(value: Any, depth: int) -> bool:
    """Whether msgspec writes the value exactly as the writer would. A yes has to come fast, a no may be too careful."""
    kind = type(value)
    if kind is dict:
        if len(value) == 1 and str(next(iter(value))).startswith("$"):
            return False
        for key in value:
            if type(key) is not str:
                return False
        value = value.values()
    elif kind is not list:
        value = (value,)
    for item in value:
        kind = type(item)
        if kind in _PLAIN_TYPES:
            continue
        # Scalars are judged here and not one call deeper, because calls are most of the cost.
        plain: bool
        if kind is int:
            plain = _LEAST_INT < item < PLAIN_INT
        elif kind is float:
            plain = item - item == 0
        else:
            plain = depth > 0 and kind in _PLAIN_CONTAINERS and _is_plain(item, depth - 1)
        if not plain:
            return False
    return True
