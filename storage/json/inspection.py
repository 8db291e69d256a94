"""Looking through a store without opening it: what it holds, and what of it is damaged. Nothing is written, and no lock is taken.

So it works beside the process that has the store, too. The journal is read before the snapshots: what a checkpoint moves in between stands in
the snapshots then. Whoever opens the store finds the same, mends it and keeps what was damaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from storage.database_interface import Finding
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageError, StorageUnavailable, UnreadableValue
from storage.files import Files
from storage.json.journal_records import History, damaged_places, sort_history
from storage.json.paths import JOURNAL, NO_DICTS, snapshot_path
from storage.json.replay import Damage, read_segments
from storage.json.snapshots import Snapshot, domain_in
from storage.json.table import read_file

_TRIES = 10
"""A segment of the journal may be gone between its name and its content, when a checkpoint has ended."""

_ENDING = ".json"


@dataclass
class Inspection:
    """`dicts` are the contents by domain, damaged keys left out. Of `findings` the kind is `damaged`, or `torn` for a commit that was
    not finished, which is no fault: a process that has been killed, or one that writes just now, leaves that.
    """

    dicts: dict[str, dict[str, Encoded]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def inspect(root: Path, files: Files | None = None) -> Inspection:
    """Look through the store in this folder; there need not be one. Raises StorageUnavailable if the disk does not answer."""
    files = files or Files()
    for remaining in reversed(range(_TRIES)):
        try:
            return _inspect(root, files)
        except FileNotFoundError as error:
            if not remaining:
                raise StorageUnavailable(f"{error.filename} was there and is not; the store in {root} changes too quickly to be looked at") from error
        except OSError as error:
            raise StorageUnavailable(f"{error.filename or root} cannot be read: {error.strerror}") from error
    raise AssertionError("unreachable")


def read_dict(root: Path, domain: str) -> dict[str, object]:
    """What one dict holds, as far as it is sound. Raises StorageUnavailable and, for a file of a later format, StorageError."""
    files, found = Files(), Inspection()
    try:
        history = sort_history(read_segments(files, root / JOURNAL))
        path = snapshot_path(root, domain)
        if path.is_file():
            _look_at(path, root, files, history, found)
        else:
            _take(domain, Snapshot({}), history, found)
    except OSError as error:
        raise StorageUnavailable(f"{error.filename or root} cannot be read: {error.strerror}") from error
    return decoded(found.dicts.get(domain, {}))


def _inspect(root: Path, files: Files) -> Inspection:
    found = Inspection()
    replay = read_segments(files, root / JOURNAL)
    history = sort_history(replay)
    for damage in replay.damages:
        found.findings += _of_journal(damage)
    for path in snapshot_files(root):
        _look_at(path, root, files, history, found)
    for domain in list(history):
        _take(domain, Snapshot({}), history, found)  # dicts that have no snapshot yet
    return found


def _of_journal(damage: Damage) -> Iterator[Finding]:
    where = f"{damage.path}:{damage.offset}"
    if damage.kind == "torn":
        yield Finding("torn", "", None, where, "an unfinished commit, which does not count")
    elif damage.kind == "missing":
        yield Finding("damaged", "", None, where, damage.reason)
    else:
        for place in damaged_places(damage):
            yield Finding("damaged", place.domain, place.key, f"{damage.path}:{place.offset}", place.reason)


def snapshot_files(root: Path) -> Iterator[Path]:
    """The files that may be snapshots of a store's dicts, sorted. Somebody else's may be among them."""
    for path in sorted(root.rglob(f"*{_ENDING}")):
        if path.relative_to(root).parts[0] not in NO_DICTS and path.is_file():
            yield path


def _look_at(path: Path, root: Path, files: Files, history: History, found: Inspection) -> None:
    data = files.read(path)
    try:
        domain = domain_in(data) or domain_of_path(path, root)
        if domain is None or snapshot_path(root, domain) != path:
            return  # somebody's file, or a copy of one of ours under another name: a start does not look at it either
        snapshot = read_file(data, domain)
    except StorageError as error:  # of a later format
        found.findings.append(Finding("damaged", domain_of_path(path, root) or "", None, str(path), str(error)))
        return
    newer = {key for sequence, (key, _) in history.get(domain, ()) if sequence > snapshot.sequence}
    for fault in snapshot.faults:
        reason = f"{fault.reason}; the journal has a newer value" if fault.key in newer else fault.reason
        found.findings.append(Finding("damaged", domain, fault.key, f"{path}:{fault.offset}", reason))
    _take(domain, snapshot, history, found, path)


def _take(domain: str, snapshot: Snapshot, history: History, found: Inspection, path: Path | None = None) -> None:
    values = dict(snapshot.values)
    for sequence, (key, text) in history.pop(domain, ()):
        if sequence <= snapshot.sequence:
            continue
        if text is None:
            values.pop(key, None)
        else:
            values[key] = text
    found.dicts[domain] = {key: text for key, text in values.items() if _is_sound(domain, key, text, found, path)}


def _is_sound(domain: str, key: str, text: Encoded, found: Inspection, path: Path | None) -> bool:
    try:
        codec.decode(text)
    except UnreadableValue as error:
        found.findings.append(Finding("damaged", domain, key, str(path or domain), str(error)))
        return False
    return True


def domain_of_path(path: Path, root: Path) -> str | None:
    """The domain whose plain name gives this path, for a file that does not tell; None if no dict's would."""
    *folders, name = path.relative_to(root).parts
    domain = ".".join([*folders, name.removesuffix(_ENDING)])
    is_ours = len(folders) == 2 and folders[0].startswith("service_") and folders[1].startswith("channel_")
    return domain if is_ours and snapshot_path(root, domain) == path else None


def decoded(values: Mapping[str, Encoded]) -> dict[str, object]:
    """What the texts of an Inspection say."""
    return {key: codec.decode(text) for key, text in values.items()}
