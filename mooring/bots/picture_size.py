"""How large a picture is, read from the beginning of its file."""

from __future__ import annotations

import struct
from pathlib import Path

_BEGINNING = 256 * 1024
"""Bytes that are read: a JPEG may have a small picture of itself and its colours first."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The segments of a JPEG that tell its size."""
_ORIENTATION = 0x0112


def picture_size(path: str) -> tuple[int, int] | None:
    """Width and height as they are shown; None if the file is no PNG, GIF, WebP or JPEG, or is damaged."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_BEGINNING)
        return _size(data)
    except (OSError, struct.error, IndexError):
        return None


def _size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        width, height = struct.unpack_from("<HH", data, 6)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        width, height = _webp(data)
    elif data.startswith(b"\xff\xd8"):
        width, height = _jpeg(data)
    else:
        return None
    return (width, height) if width and height else None


def _webp(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    at, is_turned = 2, False
    while True:
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return (height, width) if is_turned else (width, height)
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            is_turned = _orientation(data[at + 10 : at + 2 + length]) >= 5
        at += 2 + length


def _orientation(exif: bytes) -> int:
    """How a camera was held; from 5 on, width and height are exchanged."""
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        entries = (struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * number) for number in range(count))
        return next((int(entry[3]) for entry in entries if entry[0] == _ORIENTATION), 1)
    except struct.error:
        return 1
