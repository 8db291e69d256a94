"""What is still good in a damaged snapshot: lines that fit their checksums, or, where those are lost, lines that parse.

Stored text is compact, so a quote, a colon and a space in a row occur at one place in a line only, behind its key. That shows
where lines begin even when the line breaks between them were hit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from zlib import crc32

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import UnreadableValue
from storage.json.snapshots import CHECKS_START, HEADER_START, Header, Snapshot, SnapshotFault, verified_header

_HEADER = re.compile(rb'"\$mooring": \{[^\n]*?-[0-9a-f]{8}"\},')
_CHECKS = re.compile(rb'"([0-9a-f]{8})((?:[0-9a-f]{8})*).{0,5}\Z', re.DOTALL)  # whatever became of the name before it
_START = re.compile(r'(?="(?:[^"\\]|\\.)*+": )')
_START_AND_KEY = re.compile(r'("(?:[^"\\]|\\.)*+"): ')
_decode_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_end_of_value = json.JSONDecoder().raw_decode


def salvage(data: bytes, domain: str) -> Snapshot:
    """The snapshot with at least one fault. Raises StorageError only for an intact header of a later format."""
    snapshot = Snapshot({}, size=len(data))
    header, start = _find_header(data)
    known, end = _find_checks(data)
    if header is None:
        snapshot.faults.append(SnapshotFault(0, None, "the header is damaged or missing"))
    elif header.domain != codec.escape_key(domain):
        snapshot.faults.append(SnapshotFault(0, None, f"the file belongs to {header.domain!r}"))
        return snapshot
    else:
        snapshot.sequence = header.sequence
    if known is None:
        snapshot.faults.append(SnapshotFault(end, None, "the checksums are damaged or missing; lines were taken if they parse"))
    _take_lines(data, start, end, known, snapshot)
    _count_missing(header, known, snapshot)
    if not snapshot.faults:
        snapshot.faults.append(SnapshotFault(0, None, "the file does not match its checksum, but every key does"))
    return snapshot


def _find_header(data: bytes) -> tuple[Header | None, int]:
    """The header, if it is intact, and where the lines after it begin."""
    match = _HEADER.search(data)
    header = verified_header(match[0]) if match else None
    if match and header:
        return header, match.end()
    start = data.find(HEADER_START)
    return None, 0 if start < 0 else start + len(HEADER_START)


def _find_checks(data: bytes) -> tuple[set[int] | None, int]:
    """The checksums of the lines, if they are intact themselves, and where they stand."""
    match = _CHECKS.search(data)
    if match and crc32(match[2]) == int(match[1], 16):
        digits = bytes.fromhex(match[2].decode())
        known = {int.from_bytes(digits[at : at + 4]) for at in range(0, len(digits), 4)}
        if data.endswith(CHECKS_START, 0, match.start() + 1):
            return known, match.start() + 1 - len(CHECKS_START)
        return known, match.start()
    start = data.rfind(CHECKS_START)
    return None, len(data) if start < 0 else start


def _take_lines(data: bytes, start: int, end: int, known: set[int] | None, snapshot: Snapshot) -> None:
    offset = start
    for line in data[start:end].split(b"\n"):
        if line not in (b"", b"{", b"}", b","):
            taken = 0
            complete = offset + len(line) < len(data)
            for first, last in _intact_parts(line, known, complete=complete):
                if _put(line[first:last], snapshot.values):
                    _note_damage(line, taken, first, offset, snapshot)
                    taken = last
            _note_damage(line, taken, len(line), offset, snapshot)
        offset += len(line) + 1


def _intact_parts(line: bytes, known: set[int] | None, *, complete: bool) -> Iterator[tuple[int, int]]:
    if known is not None and crc32(line.removesuffix(b",")) in known:
        yield 0, len(line.removesuffix(b","))
        return
    text = line.decode("latin-1")  # one character per byte, so that places in the text are places in the line
    starts = [match.start() for match in _START.finditer(text)]
    behind = 0
    for position, first in enumerate(starts):
        following = starts[position + 1] if position + 1 < len(starts) else len(line)
        if first < behind:
            continue
        last = _end_of_line(text, first, following)
        if last is None:
            continue
        if known is not None:
            # A comma that was turned into a digit looks like a part of the number.
            intact = next((size for size in (last, last - 1) if crc32(line[first:size]) in known), None)
        else:
            intact = last if _ends_well(line[last:following], at_end=following == len(line), complete=complete) else None
        if intact is not None:
            yield first, intact
            behind = intact


def _end_of_line(text: str, first: int, following: int) -> int | None:
    match = _START_AND_KEY.match(text, first)
    try:
        return _end_of_value(text, match.end())[1] if match else None
    except (ValueError, RecursionError):
        return None


def _ends_well(rest: bytes, *, at_end: bool, complete: bool) -> bool:
    """Whether what follows a value shows that the value is whole: half of a number is a number, too."""
    if at_end:
        return rest == b"," or (rest == b"" and complete)
    return rest[:1] == b"," and len(rest) <= 2


def _put(text: bytes, values: dict[str, Encoded]) -> bool:
    try:
        text.decode()
        [(key, value)] = _decode_line(b"{%b}" % text).items()
        values[codec.unescape_key(key)] = value
    except (msgspec.MsgspecError, UnicodeDecodeError, UnreadableValue, ValueError, RecursionError):
        return False
    return True


def _note_damage(line: bytes, first: int, last: int, offset: int, snapshot: Snapshot) -> None:
    """What is left of a line beside commas and what may have been the line break is damage."""
    rest = line[first:last]
    if len(rest.strip(b",")) <= (first > 0) or (last < len(line) and len(rest) < 3):
        return
    match = _START_AND_KEY.search(rest.decode("latin-1"))
    key = None
    if match:
        try:
            key = codec.unescape_key(msgspec.json.decode(match[1].encode("latin-1"), type=str))
        except (msgspec.MsgspecError, UnicodeDecodeError, UnreadableValue):
            key = None
    snapshot.faults.append(SnapshotFault(offset + first, key, "does not match its checksum"))


def _count_missing(header: Header | None, known: set[int] | None, snapshot: Snapshot) -> None:
    expected = header.keys if header else len(known) if known is not None else 0
    if (missing := expected - len(snapshot.values)) > 0:
        number = "1 key is" if missing == 1 else f"{missing} keys are"
        snapshot.faults.append(SnapshotFault(snapshot.size, None, f"{number} missing or damaged, of {expected}"))
