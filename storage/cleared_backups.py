"""What `clear: true` removes is kept in a dated file until the next clean close."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.database_interface import DatabaseInterface, DomainChanges, Finding, Origin
from storage.dicts import locks
from storage.files import Files, make_folders, replace_file
from storage.json import snapshots
from storage.json.paths import snapshot_path

FOLDER = "cleared"
DEFAULT_ROOT = "mooring_cleared"
"""Where the files of engines without a `root_dir` go."""

_LONGEST_NAME = 200
_log = logging.getLogger(__name__)


def clear(database: DatabaseInterface, root: Path) -> Finding | None:
    """Remove all keys that can be read, once a file under `root` keeps them safe against power loss.

    Keys that cannot be read cannot be kept either, and stay. Raises CommitFailed, StorageUnavailable, OSError.
    """
    with locks.held((database.lock,)):
        texts = database.load_all()
        if not texts:
            return None
        kept = root / FOLDER / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{_file_name(database.domain)}"
        files = Files()
        make_folders(files, kept.parent)
        replace_file(files, kept, snapshots.render(database.domain, 0, texts))
        database.commit_batch([DomainChanges(database, [(key, None) for key in texts])], Origin(), sync=True)
    reason = f"cleared {len(texts)} keys, as the config says; {kept} keeps them until the next clean close"
    _log.warning("%s: %s", database.domain, reason)
    return Finding("cleared", database.domain, None, repr(database), reason, str(kept))


def forget_cleared(domains: Iterable[str], root: Path) -> None:
    """Remove the files that `clear` wrote for these domains, in this run or an earlier one. The keys are gone then."""
    folder = root / FOLDER
    names = tuple(f"-{_file_name(domain)}" for domain in domains)
    for path in folder.glob("*.json"):
        if path.name.endswith(names):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # it is not there, or other files are left in it
        folder.rmdir()
        if root.name == DEFAULT_ROOT:
            root.rmdir()


def _file_name(domain: str) -> str:
    name = ".".join(snapshot_path(Path(), domain).parts)
    if len(name) > _LONGEST_NAME:
        name = hashlib.sha256(domain.encode("utf-8", "surrogatepass")).hexdigest() + ".json"
    return name
