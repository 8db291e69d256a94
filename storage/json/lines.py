"""Lines of a journal: `<crc32, 8 hex digits> <JSON>\\n`, and finding them again in a file that was damaged.

JSON text has no line break and no unescaped `"` inside strings, so the start of a record, `{"seq":` or `{"journal":` after a
checksum, cannot occur inside of a stored string. That is what lets a reader find the next record wherever damage ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

CHECK_LENGTH = 9
_START = re.compile(rb'[0-9a-f]{8} \{"(?:seq|journal)":')


@dataclass(frozen=True)
class Scan:
    """`lines` are (offset, JSON) of intact records, `damages` are (offset, end) of the stretches between them."""

    lines: list[tuple[int, bytes]]
    damages: list[tuple[int, int]]


def frame(payload: bytes) -> bytes:
    return b"%08x %b\n" % (crc32(payload), payload)


def scan(data: bytes) -> Scan:
    """Every intact record of the file, however damaged the rest of it is. The last record may lack its line break."""
    lines: list[tuple[int, bytes]] = []
    damages: list[tuple[int, int]] = []
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        if end < 0:
            end = len(data)
        if _intact(data, start, end):
            lines.append((start, data[start + CHECK_LENGTH : end]))
        else:
            _salvage(data, start, end, lines, damages)
        start = end + 1
    return Scan(lines, damages)


def _intact(data: bytes, start: int, end: int) -> bool:
    payload = data[start + CHECK_LENGTH : end]
    return data[start : start + CHECK_LENGTH] == b"%08x " % crc32(payload) and bool(payload)


def _salvage(data: bytes, start: int, end: int, lines: list[tuple[int, bytes]], damages: list[tuple[int, int]]) -> None:
    """Records that share a line because the line break between them was hit, and what lies between them."""
    unclaimed = start
    for first, last in _found_within(data, start, end):
        if first > unclaimed + 1:  # one byte is the line break itself, or what became of it
            damages.append((unclaimed, first))
        lines.append((first, data[first + CHECK_LENGTH : last]))
        unclaimed = last
    if end > unclaimed + (unclaimed > start):
        damages.append((unclaimed, end))


def _found_within(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    starts = [match.start() for match in _START.finditer(data, start, end)]
    for position, first in enumerate(starts):
        following = starts[position + 1] if position + 1 < len(starts) else end
        # The line break before the next record was changed, or taken out, or this is where the line really ends.
        for last in (following - 1, following):
            if _intact(data, first, last):
                yield first, last
                break
