"""Changes as they stand in the journal, and back.

`["t","1",{...}]` sets a document, `["t","1"]` removes it, `["t"]` leaves an empty table, `["t",null]` none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from mooring.plugins.torbox.documents import decode
from mooring.plugins.torbox.table_state import Change, Drop, Empty, Put, Remove, document_id

_encode = msgspec.json.encode


def record_text(changes: Sequence[Change]) -> bytes:
    """The JSON of a commit after its sequence number, closing brace included."""
    return b'"at":%.3f,"changes":[%b]}' % (time.time(), b",".join(map(_change_text, changes)))


def read_changes(record: bytes) -> list[Change]:
    """The changes of a record. Raises ValueError for what is none."""
    content = decode(record)
    match content:
        case {"changes": list(changes)}:
            return [_read_change(change) for change in changes]
    raise ValueError("it is not a record of changes")


def _change_text(change: Change) -> bytes:
    table = _string(change.table)
    if isinstance(change, Put):
        return b"[%b,%b,%b]" % (table, _string(str(change.key)), change.text)
    if isinstance(change, Remove):
        return b"[%b,%b]" % (table, _string(str(change.key)))
    return b"[%b]" % table if isinstance(change, Empty) else b"[%b,null]" % table


def _string(text: str) -> bytes:
    try:
        return _encode(text)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(text).encode("ascii")


def _read_change(change: Any) -> Change:
    match change:
        case [str(table), str(key), dict(document)]:
            return Put(table, document_id(key), document, b"")
        case [str(table), str(key)]:
            return Remove(table, document_id(key))
        case [str(table), None]:
            return Drop(table)
        case [str(table)]:
            return Empty(table)
    raise ValueError("it holds a change of an unknown form")
