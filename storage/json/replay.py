"""Reading a journal back: which records count, in which order, and what is to be said about the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from storage.errors import StorageError
from storage.files import Files
from storage.json.lines import Scan, scan

FORMAT = 1
_NAME = re.compile(r"[0-9]{8,12}\.log")
_HEADER_START = b'{"journal":'
_RECORD_START = b'{"seq":'


@dataclass(frozen=True)
class Damage:
    """A stretch of a segment that does not count. `kind` is `torn`, `damaged`, `void`, `repeated`, `copy` or `missing`."""

    kind: str
    path: Path
    offset: int
    data: bytes
    reason: str


@dataclass
class Replay:
    """`records` are (sequence, JSON) in the order of the commits."""

    records: list[tuple[int, bytes]] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    segments: list[tuple[int, Path]] = field(default_factory=list)
    content: dict[Path, bytes] = field(default_factory=dict)
    """The bytes of every segment."""
    sequence: int = 0
    size: int = 0


class _SegmentHeader(msgspec.Struct):
    journal: int
    segment: int
    after: int


@dataclass
class Segment:
    """One file, with its intact records as (sequence, offset, JSON)."""

    number: int
    path: Path
    data: bytes
    found: Scan
    header: _SegmentHeader | None
    records: list[tuple[int, int, bytes]]


def segment_name(number: int) -> str:
    return f"{number:08d}.log"


def header_payload(number: int, after: int) -> bytes:
    """`after` is the last commit before this segment: whatever earlier segments hold beyond it was never acknowledged."""
    return b'{"journal":%d,"segment":%d,"after":%d}' % (FORMAT, number, after)


def read_segments(files: Files, folder: Path) -> Replay:
    """Raises StorageError for segments of a later Mooring, and OSError where the disk does not answer; damage is only reported."""
    replay = Replay()
    read = [segment_of(path, files.read(path)) for path in segment_paths(folder, files)]
    replay.segments = [(segment.number, segment.path) for segment in read]
    segments = _without_copies(read, replay)
    limits = _limits(segments)
    followers = [*segments[1:], None][: len(segments)]
    for segment, limit, following in zip(segments, limits, followers, strict=True):
        replay.sequence = max(replay.sequence, segment.header.after if segment.header else 0)
        last = _take_records(segment, limit, replay)
        _judge_damages(segment, following, last, replay)
        replay.size += len(segment.data)
    replay.content = {segment.path: segment.data for segment in read}
    return replay


def sequence_of(payload: bytes) -> int | None:
    """The number of the commit in an intact line; None for a header."""
    return int(payload[len(_RECORD_START) : payload.index(b",")]) if payload.startswith(_RECORD_START) else None


def segment_paths(folder: Path, files: Files) -> list[Path]:
    """The segments in a folder, by their names."""
    return [folder / name for name in files.names(folder) if _NAME.fullmatch(name)]


def segment_of(path: Path, data: bytes) -> Segment:
    """What the content of a segment says. Raises StorageError for one of a later Mooring."""
    found = scan(data)
    header = None
    records = []
    for offset, payload in found.lines:
        sequence = sequence_of(payload)
        if sequence is not None:
            records.append((sequence, offset, payload))
        elif payload.startswith(_HEADER_START) and header is None:
            header = _read_header(path, payload)
    number = int(path.stem) if header is None else header.segment
    return Segment(number, path, data, found, header, records)


def _read_header(path: Path, payload: bytes) -> _SegmentHeader:
    try:
        header = msgspec.json.decode(payload, type=_SegmentHeader)
    except msgspec.MsgspecError as error:
        raise StorageError(f"{path} has a first line that this version of Mooring does not know ({error}); it was left as it is") from error
    if header.journal != FORMAT:
        raise StorageError(f"{path} has journal format {header.journal}, this version of Mooring reads {FORMAT}; it was left as it is")
    return header


def _without_copies(read: list[Segment], replay: Replay) -> list[Segment]:
    """A segment says its own number; a second file that says the same is somebody's copy and must not be applied again."""
    chosen: dict[int, Segment] = {}
    # The file whose name fits its header comes first, and is the one that counts.
    for segment in sorted(read, key=lambda segment: (segment.number, segment.path.name != segment_name(segment.number))):
        if segment.number in chosen:
            reason = f"is a copy of segment {segment.number}"
            replay.damages.append(Damage("copy", segment.path, 0, segment.data, reason))
        else:
            chosen[segment.number] = segment
    return list(chosen.values())


def _limits(segments: list[Segment]) -> list[int | None]:
    """For each segment the last sequence number that counts in it, as the segments after it tell; None for no limit."""
    limits: list[int | None] = []
    limit: int | None = None
    for segment in reversed(segments):
        limits.append(limit)
        after = segment.header.after if segment.header else segment.records[0][0] - 1 if segment.records else limit
        if after is not None:
            limit = after if limit is None else min(limit, after)
    return limits[::-1]


def _take_records(segment: Segment, limit: int | None, replay: Replay) -> int:
    for sequence, offset, payload in segment.records:
        if limit is not None and sequence > limit:
            reason = f"record {sequence} is left over from a commit that failed"
            replay.damages.append(Damage("void", segment.path, offset, payload, reason))
        elif sequence <= replay.sequence:
            reason = f"record {sequence} comes after record {replay.sequence}"
            replay.damages.append(Damage("repeated", segment.path, offset, payload, reason))
        else:
            replay.records.append((sequence, payload))
            replay.sequence = sequence
    return replay.sequence


def _judge_damages(segment: Segment, following: Segment | None, last: int, replay: Replay) -> None:
    expected = last if following is None or following.header is None else following.header.after
    for offset, end in segment.found.damages:
        data = segment.data[offset:end]
        unfinished = end == len(segment.data)  # no line break: the write did not come to its end
        if unfinished and expected <= last:
            replay.damages.append(Damage("torn", segment.path, offset, data, "an unfinished commit was dropped"))
        else:
            replay.damages.append(Damage("damaged", segment.path, offset, data, "does not match its checksum"))
    if expected > last:
        reason = f"ends with record {last}, the next segment was begun after record {expected}"
        replay.damages.append(Damage("missing", segment.path, len(segment.data), b"", reason))
    replay.sequence = max(replay.sequence, expected)
