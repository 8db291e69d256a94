"""Generations: a list that was fetched whole takes the place of the one before it in one commit.

Readers see the one or the other. Documents are told apart by (item_id, file_id); those that stay keep their ids.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from mooring.plugins.torbox.documents import encode_document, same_value
from mooring.plugins.torbox.errors import ImplausibleAnswer
from mooring.plugins.torbox.records import Kind, Record, RecordKey, Skipped, first_fault
from mooring.plugins.torbox.table import JournalDB
from mooring.plugins.torbox.table_state import Change, DocumentId, Put, Remove

GENERATION_TABLE = "generation"
"""A table beside the records in the same file, with one document about the generation that they are."""

_ENOUGH_TO_COMPARE = 100
_SMALLEST_SHARE = 0.1

_NO_KEY: RecordKey = (-1, -1)

_validate = Record.__pydantic_validator__.validate_python


@dataclass(frozen=True)
class Generation:
    """`refreshed_at` is in seconds since 1970, `records` how many there were then."""

    number: int
    refreshed_at: float
    records: int


@dataclass(frozen=True)
class Refreshed:
    """What became different with a generation."""

    generation: Generation
    added: int
    removed: int
    changed: int
    skipped: Skipped

    def __str__(self) -> str:
        difference = f"+{self.added} -{self.removed}, {self.changed} changed"
        return f"{difference}; {self.skipped}" if self.skipped.count else difference


def generation_of(database: JournalDB) -> Generation | None:
    """The generation that the records are; None if they never were refreshed."""
    content = database.store.document(GENERATION_TABLE, 1)
    if content is None:
        return None
    try:
        return Generation(int(content["number"]), float(content["refreshed_at"]), int(content["records"]))
    except (KeyError, TypeError, ValueError):
        return None


def replace_generation(
    database: JournalDB,
    kind: Kind,
    records: Iterable[Mapping[str, Any]],
    *,
    force: bool = False,
    skipped: Skipped | None = None,
    merge: bool = False,
) -> Refreshed:
    """Make `records` the content of the database, or with `merge` part of it. A bad record is skipped and counted.

    Raises ImplausibleAnswer, and changes nothing, if next to nothing is left of a list, unless it is forced.
    """
    skipped = replace(skipped, reasons=skipped.reasons.copy()) if skipped else Skipped()
    wanted = _by_key(kind, records, skipped)
    store = database.store
    with store.writing:
        _, present = store.live_documents(database.default_table_name)
        if not force and not merge:
            _refuse_implausible(kind, len(present), len(wanted))
        changes, counts = _differences(database, present, wanted, keep=merge)
        before = generation_of(database)
        generation = Generation(
            number=before.number + 1 if before else 1,
            refreshed_at=time.time(),
            records=len(present) + counts["added"] - counts["removed"],
        )
        store.commit([*changes, _generation_change(generation)], sync=True)
    return Refreshed(generation, counts["added"], counts["removed"], counts["changed"], skipped)


def _by_key(kind: Kind, records: Iterable[Mapping[str, Any]], skipped: Skipped) -> dict[RecordKey, dict[str, Any]]:
    wanted: dict[RecordKey, dict[str, Any]] = {}
    for record in records:
        try:
            _validate(record)
        except ValidationError as error:
            skipped.add(f"a record with {first_fault(error)}")
            continue
        if record["type"] != kind:
            skipped.add(f"a record of another kind than {kind}")
            continue
        key = (record["item_id"], record["file_id"])
        if key in wanted:
            skipped.add("a file that is listed twice")
        else:
            wanted[key] = dict(record)
    return wanted


def _refuse_implausible(kind: Kind, before: int, after: int) -> None:
    shrunk = before >= _ENOUGH_TO_COMPARE and after < before * _SMALLEST_SHARE
    if before and (not after or shrunk):
        raise ImplausibleAnswer(f"The new list of {kind} has {after} files, the one that is kept has {before}; nothing was changed.")


def _differences(
    database: JournalDB, present: Mapping[DocumentId, dict[str, Any]], wanted: dict[RecordKey, dict[str, Any]], *, keep: bool
) -> tuple[list[Change], dict[str, int]]:
    table = database.default_table_name
    left = dict(wanted)
    changes: list[Change] = []
    counts = {"added": 0, "removed": 0, "changed": 0}
    for key, document in present.items():
        record = left.pop(_key_of(document), None)
        if record is None and keep:
            continue
        if record is None:
            changes.append(Remove(table, key))
            counts["removed"] += 1
        elif not same_value(document, record):
            kept, text = database.store.encode(record)
            if not same_value(document, kept):  # with the key in it, it only looked different
                changes.append(Put(table, key, kept, text))
                counts["changed"] += 1
    for record in left.values():
        changes.append(Put(table, database.store.take_id(table), *database.store.encode(record)))
        counts["added"] += 1
    return changes, counts


def size_of(record: Mapping[str, Any]) -> int:
    """Bytes; 0 for a record of another form."""
    size = record.get("file_size")
    return size if isinstance(size, int) else 0


def _key_of(document: Mapping[str, Any]) -> RecordKey:
    """Documents that `insertData` was given may have anything there, and then have no place in a generation."""
    item_id, file_id = document.get("item_id"), document.get("file_id")
    return (item_id, file_id) if isinstance(item_id, int) and isinstance(file_id, int) else _NO_KEY


def _generation_change(generation: Generation) -> Put:
    content = {"number": generation.number, "refreshed_at": generation.refreshed_at, "records": generation.records}
    return Put(GENERATION_TABLE, 1, *encode_document(content))
