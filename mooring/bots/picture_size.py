"""How large a picture is, read from the beginning of its file."""

from __future__ import annotations

import io
from pathlib import Path

import imagesize

_BEGINNING = 256 * 1024
"""Bytes that are read: a JPEG may have a small picture of itself and its colours first."""


def picture_size(path: str) -> tuple[int, int] | None:
    """Width and height as they are shown; None if the file is no picture made of pixels, or is damaged."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_BEGINNING)
    except OSError:
        return None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return None  # SVG: its sizes are units of its own, and strangers' XML is for no parser here
    width, height = imagesize.get(io.BytesIO(data))
    return (width, height) if width > 0 and height > 0 else None
