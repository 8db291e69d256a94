"""The readable file of one dict: a header, one line per key, and the checksums of the lines.

    {
    "$mooring": {"format":1,"domain":"service_1.channel_tavern.health_bars","sequence":17,"keys":2,"crc":"<body>-<header>"},
    "ann": 80,
    "bob": {"hp":3},
    "$checks": "<own checksum><8 hex digits per line>"
    }

One checksum over everything after the header line makes loading fast. The checksums of the lines are for the day when it does
not fit: then `storage.json.salvage` takes what is intact. docs/storage.md has the format to the byte.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageError, UnreadableValue

FORMAT = 1
OPENING = b"{\n"
HEADER_START = b'"$mooring": '
CHECKS_START = b'"$checks": "'
_SPECIAL_LINE = b'\n"$'
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CHUNK = 512
"""Keys in one part of the work."""

_encode_key = msgspec.json.Encoder().encode
_decode_lines = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass
class Snapshot:
    """What a file holds. `faults` is empty unless parts of it were damaged."""

    values: dict[str, Encoded]
    sequence: int = 0
    size: int = 0
    faults: list[SnapshotFault] = field(default_factory=list)


@dataclass(frozen=True)
class SnapshotFault:
    """One part that was not taken: where it begins, the key if it can still be read, and why."""

    offset: int
    key: str | None
    reason: str


class Header(msgspec.Struct, forbid_unknown_fields=True):
    """Without `crc` a person edited the file, and it is taken as it stands."""

    format: int
    domain: str
    sequence: int
    keys: int
    crc: str | None = None


class _AnyHeader(msgspec.Struct):
    format: int
    crc: Any = None


class Body:
    """What comes after the header line, part by part, and the checksums of it."""

    def __init__(self) -> None:
        self.crc = 0
        self._checks = array("I")

    def part(self, items: Sequence[tuple[str, Encoded]]) -> bytes:
        """The lines of the next keys."""
        lines = list(map(b": ".join, zip(_encoded_keys([key for key, _ in items]), [value for _, value in items], strict=True)))
        self._checks.extend(map(crc32, lines))
        lines.append(b"")
        chunk = b",\n".join(lines)
        self.crc = crc32(chunk, self.crc)
        return chunk

    def closing(self) -> bytes:
        """The end of the file. Call it once, after the last part."""
        if sys.byteorder == "little":
            self._checks.byteswap()
        digits = self._checks.tobytes().hex().encode()
        closing = b'%b%08x%b"\n}\n' % (CHECKS_START, crc32(digits), digits)
        self.crc = crc32(closing, self.crc)
        return closing


def render(domain: str, sequence: int, values: Mapping[str, Encoded], *, pause: float = 0.0) -> Iterator[bytes]:
    """The file's text in chunks. A `pause` between parts of the work lets other threads run."""
    body = Body()
    chunks: list[bytes] = []
    items = iter(values.items())
    while part := list(islice(items, CHUNK)):
        chunks.append(body.part(part))
        if pause:
            time.sleep(pause)
    chunks.append(body.closing())
    yield opening(domain, sequence, len(values), body.crc)
    yield from chunks


def opening(domain: str, sequence: int, keys: int, body_crc: int) -> bytes:
    """The beginning of the file. It is as long for one checksum of the body as for another."""
    return OPENING + _header_line(domain, sequence, keys, body_crc)


def _encoded_keys(keys: list[str]) -> Iterable[bytes]:
    """Without a line of Python for each key: while a checkpoint runs, it takes its time from commits."""
    together = "".join(keys)
    plain = together.isascii() and "$" not in together
    return map(_encode_key, keys if plain else map(codec.escape_key, keys))


def read(data: bytes, domain: str) -> Snapshot | None:
    """The snapshot if every byte is as it was written, or if a person edited it; None for a damaged one.

    A file that belongs to another domain gives no values and one fault. Raises StorageError for an intact file of a later format.
    """
    line_end = data.find(b"\n", len(OPENING))
    header = verified_header(data[len(OPENING) : line_end]) if data.startswith(OPENING) else None
    if header is None or header.crc is None:
        return _read_edited(data, domain)
    if int(header.crc[:8], 16) != crc32(memoryview(data)[line_end + 1 :]):
        return None
    values: dict[str, Any] = _decode_lines(data)
    del values["$mooring"], values["$checks"]
    if data.count(_SPECIAL_LINE) > 2:  # keys that had to be escaped, beside header and checksums
        values = {codec.unescape_key(key): value for key, value in values.items()}
    return _of_domain(header, domain, Snapshot(values, header.sequence, len(data)))


def domain_in(data: bytes) -> str | None:
    """The domain that an intact header names; None if there is none."""
    line_end = data.find(b"\n", len(OPENING))
    header = verified_header(data[len(OPENING) : line_end]) if data.startswith(OPENING) else None
    return None if header is None else codec.unescape_key(header.domain)


def verified_header(line: bytes) -> Header | None:
    """The header, if its own checksum says that it is as it was written; `line` is without its line break.

    Raises StorageError for an intact header of a later format.
    """
    start, dash, check = line.rpartition(b"-")
    if not line.startswith(HEADER_START) or check != b'%08x"},' % crc32(start + dash):
        return None
    return _decode_header(line[len(HEADER_START) : -1])


def _header_line(domain: str, sequence: int, keys: int, body_crc: int) -> bytes:
    text = b'%b{"format":%d,"domain":%b,"sequence":%d,"keys":%d,"crc":"%08x-' % (
        HEADER_START,
        FORMAT,
        _encode_key(codec.escape_key(domain)),
        sequence,
        keys,
        body_crc,
    )
    return b'%b%08x"},\n' % (text, crc32(text))


def _decode_header(text: bytes | msgspec.Raw) -> Header:
    number = msgspec.json.decode(text, type=_AnyHeader).format
    if number != FORMAT:
        raise StorageError(f"the file has snapshot format {number}, this version of Mooring reads {FORMAT}; it was left as it is")
    return msgspec.json.decode(text, type=Header)


def _of_domain(header: Header, domain: str, snapshot: Snapshot) -> Snapshot:
    if header.domain == codec.escape_key(domain):
        return snapshot
    fault = SnapshotFault(0, None, f"the file belongs to {header.domain!r}")
    return Snapshot({}, size=snapshot.size, faults=[fault])


def _read_edited(data: bytes, domain: str) -> Snapshot | None:
    """A person who edits the file takes the checksum out of the header; how the rest is laid out does not matter then."""
    try:
        text = msgspec.json.format(data.removeprefix(_BYTE_ORDER_MARK), indent=-1)  # values must not span lines
        text.decode()
        values: dict[str, Any] = _decode_lines(text)
        header_text = values.pop("$mooring")
        if msgspec.json.decode(header_text, type=_AnyHeader).crc is not None:
            return None
        header = _decode_header(header_text)
        values.pop("$checks", None)
        values = {codec.unescape_key(key): value for key, value in values.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, UnreadableValue, KeyError, RecursionError):
        return None
    return _of_domain(header, domain, Snapshot(values, header.sequence, len(data)))
