"""What was changed in a store, when and by whom: from the journal as it is, and from the segments that were retained.

Nothing is opened or written, and no lock is taken; so it works beside the process that has the store.
"""

from __future__ import annotations

import logging
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageUnavailable, UnreadableValue
from storage.files import Files
from storage.json.paths import JOURNAL, RETAINED
from storage.json.replay import Segment, segment_of, segment_paths
from storage.json.restorings import Restoring, restorings
from storage.json.retained import segments_in

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PastChange:
    """One key in one commit. None in the place of a text is a key that was not there, or was removed."""

    at: float
    """Seconds since 1970."""
    sequence: int
    member: str
    event: str
    command: str
    """What handled it, like `bars: /hit`; empty for what no handler did."""
    domain: str
    key: str
    old: Encoded | None
    is_old_known: bool
    """False for the first change of a key, if what is kept does not go back to the store's first commit, and for the first after its dict was
    restored from a backup: what it was before is not in the journal.
    """
    new: Encoded | None


class _Record(msgspec.Struct):
    seq: int
    at: float
    changes: list[list[msgspec.Raw]]
    by: str = ""
    event: str = ""
    command: str = ""


_decode = msgspec.json.Decoder(_Record).decode
_decode_text = msgspec.json.Decoder(str).decode


def past(root: Path, wants: Callable[[str], bool], files: Files | None = None) -> Iterator[PastChange]:
    """All changes to the domains that are wanted, the oldest first. A segment that is damaged costs the records that are, with a warning.

    Raises StorageUnavailable if the disk does not answer.
    """
    files = files or Files()
    latest: dict[tuple[str, str], Encoded | None] = {}
    is_whole = False
    replaced: list[Restoring] = []
    to_come = deque(_restorings(root, files))
    for sequence, payload in _records(root, files):
        is_whole = is_whole or sequence == 1
        while to_come and to_come[0].sequence < sequence:
            replaced.append(to_come.popleft())
            latest = {place: text for place, text in latest.items() if not replaced[-1].replaced(place[0])}
        try:
            record = _decode(payload)
            changes = [
                (codec.unescape_key(_decode_text(domain)), codec.unescape_key(_decode_text(key)), value[0] if value else None)
                for domain, key, *value in record.changes
            ]
            member, event, command = map(codec.unescape_key, (record.by, record.event, record.command))
        except (msgspec.MsgspecError, UnreadableValue, ValueError) as error:
            _log.warning("%s: commit %d cannot be read: %s", root, sequence, error)
            continue
        for domain, key, new in changes:
            if wants(domain):
                place = domain, key
                is_known = place in latest or (is_whole and not any(each.replaced(domain) for each in replaced))
                yield PastChange(record.at, sequence, member, event, command, domain, key, latest.get(place), is_known, new)
                latest[place] = new


def _records(root: Path, files: Files) -> Iterator[tuple[int, bytes]]:
    """Each commit once, in order. What the segment after it says never to have been acknowledged is left out."""
    seen = 0
    segments = _segments(root, files)
    segment = next(segments, None)
    while segment is not None:
        following = next(segments, None)
        limit = following.header.after if following is not None and following.header is not None else None
        for sequence, _, payload in segment.records:
            if sequence > seen and (limit is None or sequence <= limit):
                yield sequence, payload
                seen = sequence
        segment = following


def _segments(root: Path, files: Files) -> Iterator[Segment]:
    try:
        # The journal first: what a checkpoint retains meanwhile is among the retained ones then, and the same number counts once.
        live = {path: data for path in segment_paths(root / JOURNAL, files) if (data := _read(path, files)) is not None}
        current = [segment_of(path, data) for path, data in live.items()]
        numbers = {segment.number for segment in current}
        for kept in segments_in(root / RETAINED, files):
            if kept.number not in numbers:
                numbers.add(kept.number)
                try:
                    yield segment_of(root / JOURNAL / f"{kept.number:08d}.log", kept.read(files))
                except FileNotFoundError:
                    continue  # too old by now
                except (EOFError, zlib.error, OSError) as error:
                    _log.warning("%s cannot be read, and what it says of the past is missing: %s", kept.path, error)
        yield from sorted(current, key=lambda segment: segment.number)
    except OSError as error:
        raise StorageUnavailable(f"{error.filename or root} cannot be read: {error.strerror}") from error


def _read(path: Path, files: Files) -> bytes | None:
    try:
        return files.read(path)
    except FileNotFoundError:
        return None


def kept_since(root: Path, wants: Callable[[str], bool] = lambda domain: True, files: Files | None = None) -> float | None:
    """From when on all changes to the domains that are wanted are known, in seconds since 1970; None if they always were.

    That is the first commit that is still kept, or later the last time that dicts were restored from a backup. Raises StorageUnavailable if the
    disk does not answer.
    """
    files = files or Files()
    restored = [each.at for each in _restorings(root, files) if each.domains is None or any(map(wants, each.domains))]
    first = _first_kept(root, files)
    return max([*restored, *([] if first is None else [first])], default=None)


def _first_kept(root: Path, files: Files) -> float | None:
    for sequence, payload in _records(root, files):
        if sequence == 1:
            return None
        try:
            return _decode(payload).at
        except msgspec.MsgspecError:
            continue
    return None


def _restorings(root: Path, files: Files) -> list[Restoring]:
    try:
        return restorings(root, files)
    except OSError as error:
        raise StorageUnavailable(f"{error.filename or root} cannot be read: {error.strerror}") from error
