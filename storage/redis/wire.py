"""The changes of one commit as they travel to the server and on to the other processes.

MessagePack, because the server's Lua can read it, with texts only: its `bin` type is unknown there. An array with one entry
for each dict: its name, its sets (`field, value, field, value, ...`) and its deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.encoding.codec import Encoded

Fields = Mapping[bytes, Encoded | None]
"""New values by field; None deletes."""


def pack(changes: Mapping[bytes, Fields]) -> bytes:
    """The changes of dicts by name; empty if there are none."""
    if not changes:
        return b""
    parts = [_array(len(changes))]
    for name, fields in changes.items():
        sets = [part for field, value in fields.items() if value is not None for part in (field, bytes(value))]
        deletes = [field for field, value in fields.items() if value is None]
        parts.append(_array(3))
        _add(parts, (name,))
        parts.append(_array(len(sets)))
        _add(parts, sets)
        parts.append(_array(len(deletes)))
        _add(parts, deletes)
    return b"".join(parts)


def unpack(packed: bytes) -> dict[bytes, dict[bytes, bytes | None]]:
    """The inverse of `pack`. Raises ValueError for what is not of that form.

    By hand, as decoders for MessagePack insist that texts are UTF-8, and ours need not be.
    """
    changes: dict[bytes, dict[bytes, bytes | None]] = {}
    try:
        parts, end = _read(packed, 0) if packed else ([], 0)
        for name, sets, deletes in parts:
            fields: dict[bytes, bytes | None] = dict(zip(sets[::2], sets[1::2], strict=True))
            fields.update(dict.fromkeys(deletes))
            changes[name] = fields
    except (IndexError, TypeError) as error:
        raise ValueError("the changes of a commit are cut short") from error
    if end != len(packed):
        raise ValueError("there is more than the changes of a commit")
    return changes


def _add(parts: list[bytes], texts: Sequence[bytes]) -> None:
    for text in texts:
        size = len(text)
        if size < 32:
            head = _SHORT[size]
        elif size < 1 << 8:
            head = b"\xd9%c" % size
        elif size < 1 << 16:
            head = b"\xda" + size.to_bytes(2, "big")
        else:
            head = b"\xdb" + size.to_bytes(4, "big")
        parts += (head, text)


def _array(size: int) -> bytes:
    return b"%c" % (0x90 | size) if size < 16 else b"\xdd" + size.to_bytes(4, "big")


def _read(data: bytes, at: int) -> tuple[Any, int]:
    head = data[at]
    if 0xA0 <= head <= 0xBF:
        return _text(data, at + 1, head & 31)
    if head in _WIDTHS:
        start = at + 1 + _WIDTHS[head]
        return _text(data, start, int.from_bytes(data[at + 1 : start], "big"))
    if 0x90 <= head <= 0x9F:
        return _items(data, at + 1, range(head & 15))
    if head == 0xDD:
        return _items(data, at + 5, range(int.from_bytes(data[at + 1 : at + 5], "big")))
    raise ValueError(f"{head:#x} begins nothing that belongs to the changes of a commit")


def _text(data: bytes, start: int, size: int) -> tuple[bytes, int]:
    end = start + size
    if end > len(data):
        raise IndexError(end)
    return data[start:end], end


def _items(data: bytes, at: int, places: Iterable[int]) -> tuple[list[Any], int]:
    items = []
    for _ in places:
        item, at = _read(data, at)
        items.append(item)
    return items, at


_SHORT = [b"%c" % (0xA0 | size) for size in range(32)]
_WIDTHS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
