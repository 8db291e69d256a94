"""The changes of one commit as they travel to the server and on to the other processes.

MessagePack, because the server's Lua can read it, with texts only: its `bin` type is unknown there, and texts need not be
UTF-8, as keys may hold lone surrogates. An array with one entry for each dict: its name, its sets (`field, value, field, value,
...`) and its deletes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

from storage.encoding.codec import Encoded

Fields = Mapping[bytes, Encoded | None]
"""New values by field; None deletes."""


def pack(changes: Mapping[bytes, Fields]) -> bytes:
    """The changes of dicts by name; empty if there are none."""
    if not changes:
        return b""
    parts = []
    for name, fields in changes.items():
        sets = [part for field, value in fields.items() if value is not None for part in (field, bytes(value))]
        parts.append((name, sets, [field for field, value in fields.items() if value is None]))
    packed: bytes = msgpack.packb(parts, use_bin_type=False)
    return packed


def unpack(packed: bytes) -> dict[bytes, dict[bytes, bytes | None]]:
    """The inverse of `pack`. Raises ValueError for what is not of that form."""
    changes: dict[bytes, dict[bytes, bytes | None]] = {}
    try:
        for name, sets, deletes in msgpack.unpackb(packed, raw=True) if packed else ():
            if not {bytes}.issuperset(map(type, (name, *sets, *deletes))):
                raise ValueError("the changes of a commit are texts, and here is something else")
            fields: dict[bytes, bytes | None] = dict(zip(sets[::2], sets[1::2], strict=True))
            fields.update(dict.fromkeys(deletes))
            changes[name] = fields
    except TypeError as error:
        raise ValueError("these are not the changes of a commit") from error
    return changes
