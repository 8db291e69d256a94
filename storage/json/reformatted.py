"""Snapshots that an editor or a formatter has laid out anew: other line breaks, a byte order mark, indentation, escapes.

What they hold is compared with the checksums after it is laid out as we do it; so nothing is lost, though every line looks different.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import UnreadableValue
from storage.json.snapshots import HEADER_START, Header, Snapshot, SnapshotFault, verified_header

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DIGITS = 8
_decode_lines = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode_key = msgspec.json.Encoder().encode


def read_reformatted(data: bytes, domain: str) -> Snapshot | None:
    """The snapshot in such a file, with a fault for each key whose value is another one, or one that tells that nothing is lost.

    None for what is not JSON, or has lost its checksums.
    """
    try:
        text = msgspec.json.format(data.removeprefix(_BYTE_ORDER_MARK), indent=-1)
        text.decode()
        values: dict[str, Any] = _decode_lines(text)
        header = verified_header(HEADER_START + values.pop("$mooring") + b",")
        checks = _checks(msgspec.json.decode(values.pop("$checks"), type=str))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, RecursionError, ValueError):
        return None
    if header is None or checks is None or header.domain != codec.escape_key(domain):
        return None
    return _snapshot(header, checks, values, len(data))


def _snapshot(header: Header, checks: set[int], values: dict[str, Any], size: int) -> Snapshot:
    snapshot = Snapshot({}, header.sequence, size)
    for escaped, given in values.items():
        value = _as_written(escaped, bytes(given), checks)
        try:
            key = codec.unescape_key(escaped)
        except UnreadableValue:
            key, value = escaped, None
        if value is None:
            snapshot.faults.append(SnapshotFault(0, key, "does not match its checksum"))
        else:
            snapshot.values[key] = value
    if (missing := header.keys - len(snapshot.values) - len(snapshot.faults)) > 0:
        number = "1 key is" if missing == 1 else f"{missing} keys are"
        snapshot.faults.append(SnapshotFault(size, None, f"{number} missing, of {header.keys}"))
    if not snapshot.faults:
        snapshot.faults.append(SnapshotFault(0, None, "something else has laid out the file anew; every key is as it was written"))
    return snapshot


def _as_written(escaped: str, given: bytes, checks: set[int]) -> Encoded | None:
    start = _encode_key(escaped) + b": "
    if crc32(start + given) in checks:
        return msgspec.Raw(given)
    try:
        ours = bytes(codec.encode(codec.decode(msgspec.Raw(given))))  # letters may have become escapes, or the other way round
    except (UnreadableValue, msgspec.MsgspecError, ValueError, TypeError):
        return None
    return msgspec.Raw(ours) if crc32(start + ours) in checks else None


def _checks(digits: str) -> set[int] | None:
    """The checksums of the lines, if they are intact themselves."""
    own, rest = digits[:_DIGITS], digits[_DIGITS:]
    if crc32(rest.encode()) != int(own, 16):
        return None
    return {int(rest[at : at + _DIGITS], 16) for at in range(0, len(rest), _DIGITS)}
