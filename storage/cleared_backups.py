"""What `clear: true`, a migration or a restoring removes is kept in dated files, the newest few of each dict, and can be put back."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.database_interface import DatabaseInterface, DomainChanges, Finding, Origin
from storage.dicts import locks
from storage.encoding.codec import Encoded
from storage.errors import StorageError
from storage.files import Files, make_folders, replace_file
from storage.json import snapshots
from storage.json.paths import snapshot_path

FOLDER = "cleared"
DEFAULT_ROOT = "mooring_cleared"
"""Where the files of engines without a `root_dir` go."""

_LONGEST_NAME = 200
_KEPT_COPIES = 5
_KEPT_BYTES = 256 << 20
_COPIED_BYTES = 1 << 20
_log = logging.getLogger(__name__)


def clear(database: DatabaseInterface, root: Path) -> Finding | None:
    """Remove all keys that can be read, once a file under `root` keeps them safe against power loss.

    Keys that cannot be read cannot be kept either, and stay. Raises CommitFailed, StorageUnavailable, OSError.
    """
    with locks.held((database.lock,)):
        texts = database.load_all()
        if not texts:
            return None
        kept = _keep(database, texts, root)
        database.commit_batch([DomainChanges(database, [(key, None) for key in texts])], Origin(), sync=True)
    drop_surplus(root, {kept})
    reason = f"cleared {len(texts)} keys, as the config says; they are kept in {kept}, and come back by: mooring cleared restore {kept}"
    _log.warning("%s: %s", database.domain, reason)
    return Finding("cleared", database.domain, None, repr(database), reason, str(kept))


@dataclass(frozen=True)
class ClearedDict:
    """One of the files."""

    path: Path
    domain: str
    when: str
    """The time in UTC, as the name of the file has it: `20261126T231500.123456Z`."""
    texts: Mapping[str, Encoded]
    size: int
    """Bytes on the disk."""


def cleared_dicts(root: Path) -> list[ClearedDict]:
    """What is kept under a root, the newest first. Files that are damaged or somebody else's are left out, with a line in the log."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json"), reverse=True):
        try:
            found.append(read_cleared(path))
        except StorageError as error:
            _log.warning("%s", error)
    return found


def read_cleared(path: Path) -> ClearedDict:
    """One file. Raises StorageError if it is damaged or none of these."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    domain = snapshots.domain_in(data)
    snapshot = None if domain is None else snapshots.read(data, domain)
    if domain is None or snapshot is None or snapshot.faults:
        raise StorageError(f"{path} is damaged, or not a copy of a dict; nothing was done with it")
    return ClearedDict(path, domain, path.name.partition("-")[0], snapshot.values, len(data))


def put_back(copy: ClearedDict, database: DatabaseInterface, root: Path) -> Finding | None:
    """Let the dict hold what the copy holds and nothing else, in one commit. What it held is kept first, and named by the result.

    Raises what `clear` raises.
    """
    with locks.held((database.lock,)):
        there = database.load_all()
        kept = _keep(database, there, root) if there else None
        changes = [*((key, None) for key in there if key not in copy.texts), *copy.texts.items()]
        database.commit_batch([DomainChanges(database, changes)], Origin(event="restore"), sync=True)
    if kept is None:
        return None
    drop_surplus(root, {kept})
    return Finding("cleared", database.domain, None, repr(database), f"{len(there)} keys gave way to those of {copy.path}", str(kept))


def keep_file(snapshot: Path, domain: str, root: Path) -> Path:
    """Keep the file of a dict that something else takes the place of, without reading it where the disk has hard links. Raises OSError."""
    kept = _kept_path(domain, root)
    make_folders(Files(), kept.parent)
    try:
        kept.hardlink_to(snapshot)
    except OSError:  # a disk without hard links
        with snapshot.open("rb") as file:
            replace_file(Files(), kept, iter(lambda: file.read(_COPIED_BYTES), b""))
    Files().sync_folder(kept.parent)
    return kept


def drop_surplus(root: Path, new: Collection[Path]) -> None:
    """Remove what is too much under a root, of each dict and of all, after the files `new` were kept together, which stay.

    After the commit, not before: what is put back may be the oldest copy, and is needed if that fails.
    """
    by_name: dict[str, list[Path]] = {}
    for path in sorted((root / FOLDER).glob("*.json"), reverse=True):
        by_name.setdefault(path.name.partition("-")[2], []).append(path)
    left = sorted((path for own in by_name.values() for path in own[:_KEPT_COPIES]), reverse=True)
    surplus = [path for own in by_name.values() for path in own[_KEPT_COPIES:]]
    size = sum(path.stat().st_size for path in new)
    for path in left:
        if path not in new:
            size += path.stat().st_size
            if size > _KEPT_BYTES:
                surplus.append(path)
    for path in surplus:
        path.unlink(missing_ok=True)


def _kept_path(domain: str, root: Path) -> Path:
    return root / FOLDER / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{_file_name(domain)}"


def _keep(database: DatabaseInterface, texts: Mapping[str, Encoded], root: Path) -> Path:
    kept = _kept_path(database.domain, root)
    files = Files()
    make_folders(files, kept.parent)
    replace_file(files, kept, snapshots.render(database.domain, 0, texts))
    return kept


def _file_name(domain: str) -> str:
    name = ".".join(snapshot_path(Path(), domain).parts)
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(domain.encode("utf-8", "surrogatepass")).hexdigest() + ".json"
    return name
