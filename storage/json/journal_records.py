"""The records of a store's journal: writing them from encoded parts, and sorting those found at opening by domain."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from time import time
from typing import TYPE_CHECKING

import msgspec

from storage.database_interface import Finding, Origin
from storage.encoding import codec
from storage.errors import UnreadableValue
from storage.files import Files
from storage.json.lines import CHECK_LENGTH, frame
from storage.json.quarantine import DamagedPlace, Quarantine
from storage.json.replay import Damage, Replay

if TYPE_CHECKING:
    from pathlib import Path

    from storage.json.table import Change, Table

_log = logging.getLogger(__name__)
NOBODY = Origin()
_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


class _JournalRecord(msgspec.Struct):
    seq: int
    changes: list[list[msgspec.Raw]]


_decode_record = msgspec.json.Decoder(_JournalRecord).decode

Changes = list[tuple[str, "Change"]]
History = dict[str, list[tuple[int, "Change"]]]
"""For each domain the (sequence, change) pairs that its snapshot may not have yet."""


def record_text(parts: Sequence[tuple[Table, Sequence[Change]]], origin: Origin) -> bytes:
    """The record without its sequence number; values are embedded as they are."""
    changes = []
    for table, items in parts:
        name = table.name
        for key, value in items:
            changes.append(b"[%b,%b]" % (name, encode_key(key)) if value is None else b"[%b,%b,%b]" % (name, encode_key(key), value))
    who = b"" if origin is NOBODY else _who(origin)
    return b'"at":%.3f,%b"changes":[%b]}' % (time(), who, b",".join(changes))


def single_text(name: bytes, key: str, value: codec.Encoded | None) -> bytes:
    """`record_text` for one change by nobody in particular, in half the time."""
    if value is None:
        return b'"at":%.3f,"changes":[[%b,%b]]}' % (time(), name, encode_key(key))
    return b'"at":%.3f,"changes":[[%b,%b,%b]]}' % (time(), name, encode_key(key), value)


def encode_key(key: str) -> bytes:
    # ASCII keys without `$` are nearly all keys, and need no escape.
    return _encode(key) if key.isascii() and key[:1] != "$" else _encode(codec.escape_key(key))


def sort_history(replay: Replay) -> History:
    """Records that fit their checksum but do not decode go to the replay's damages."""
    history: History = {}
    for sequence, payload in replay.records:
        try:
            for domain, change in _read_changes(payload):
                history.setdefault(domain, []).append((sequence, change))
        except UnreadableValue as error:
            path, data = next((path, data) for path, data in replay.content.items() if payload in data)
            offset = data.index(payload) - CHECK_LENGTH
            replay.damages.append(Damage("damaged", path, offset, frame(payload), f"record {sequence}: {error}"))
    return history


def report(replay: Replay, quarantine: Quarantine, files: Files) -> list[Finding]:
    """Keeps what is damaged, cuts off what is torn, and says what was found, one finding for each place and key."""
    findings = []
    if replay.records:
        number = "1 commit" if len(replay.records) == 1 else f"{len(replay.records)} commits"
        findings.append(Finding("replayed", "", None, str(replay.segments[-1][1].parent), f"replayed {number} that no snapshot had yet"))
    by_path: dict[Path, list[Damage]] = {}
    for damage in replay.damages:
        if damage.kind == "torn":
            _cut_off(damage, files)
            findings.append(Finding("torn", "", None, f"{damage.path}:{damage.offset}", damage.reason))
        elif damage.kind == "missing":
            findings.append(Finding("note", "", None, f"{damage.path}:{damage.offset}", damage.reason))
        else:
            by_path.setdefault(damage.path, []).append(damage)
    for path, damages in by_path.items():
        faults = [fault for damage in damages for fault in damaged_places(damage)]
        kept = str(quarantine.keep(path, replay.content[path], faults))
        findings += [Finding("quarantined", fault.domain, fault.key, f"{path}:{fault.offset}", fault.reason, kept) for fault in faults]
    return findings


def _cut_off(damage: Damage, files: Files) -> None:
    try:
        descriptor = files.reopen(damage.path)
        try:
            files.truncate(descriptor, damage.offset)
        finally:
            files.close(descriptor)
    except OSError as error:
        _log.warning("could not cut the unfinished commit off %s (%s); it does not count anyway", damage.path, error)


def _who(origin: Origin) -> bytes:
    member = b'"by":%b,' % encode_key(origin.member) if origin.member else b""
    event = b'"event":%b,' % encode_key(origin.event) if origin.event else b""
    command = b'"command":%b,' % encode_key(origin.command) if origin.command else b""
    return member + event + command


def _read_changes(payload: bytes) -> Changes:
    try:
        return [
            (codec.unescape_key(_decode_text(domain)), (codec.unescape_key(_decode_text(key)), value[0] if value else None))
            for domain, key, *value in _decode_record(payload).changes
        ]
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UnreadableValue(f"the record cannot be decoded: {error}") from error


def damaged_places(damage: Damage) -> Iterable[DamagedPlace]:
    """Names the keys if the text still tells them: the checksum may be all that was hit."""
    payload = damage.data if damage.kind == "void" else damage.data[CHECK_LENGTH:]
    try:
        changes = _read_changes(payload.rstrip(b"\n"))
    except UnreadableValue:
        return [DamagedPlace(damage.offset, "", None, damage.reason)]
    return [DamagedPlace(damage.offset, domain, key, damage.reason) for domain, (key, _) in changes]
