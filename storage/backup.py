"""Writing all dicts of some folders to one file, as they were at one moment, while they are used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.backup_file import BackupHeader, DictHead, Items, rendered
from storage.errors import StorageError
from storage.files import Files, write_beside
from storage.json.database import JSONDatabase
from storage.json.streaming import streamed_dicts

_PAUSE = 0.0005


@dataclass
class BackupSummary:
    """What is in a backup that was written."""

    dicts: int = 0
    keys: int = 0
    size: int = 0
    """Bytes of the file."""
    faults: list[str] = field(default_factory=list)
    """What was damaged in the folders, and so is not in the backup."""


def write_backup(
    target: Path,
    folders: Mapping[Path, Mapping[str, Any]],
    header: BackupHeader,
    wants: Callable[[str], bool],
    files: Files | None = None,
    *,
    is_ended: Callable[[], bool] = lambda: False,
) -> BackupSummary:
    """Write all dicts of the folders whose domain is wanted, for the owner alone. `folders` have the settings of their engine.

    Whoever has the folders open in this process goes on. Each folder is as it was at one moment. The file appears when it is whole; it must
    not be there before. Once `is_ended` says so, the backup is given up.

    Raises StorageError, StoreLocked among them if another process has a folder; then there is no file.
    """
    if target.exists() or target.is_symlink():
        raise StorageError(f"{target} is there already; remove it, or name another file")
    if not target.parent.is_dir():
        raise StorageError(f"{target.parent} is no folder; make it, or name another file")
    files, summary = files or Files(), BackupSummary()
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.unlink(missing_ok=True)  # of one that was killed; its rights may be wider
    try:
        with ExitStack() as opened:
            for root, settings in folders.items():
                engine = opened.enter_context(closing(JSONDatabase("", **{**settings, "root_dir": root})))
                opened.enter_context(engine.store.frozen(pause=_PAUSE))
            files.rename(write_beside(files, target, rendered(header, _dicts(folders, wants, summary, is_ended))), target)
        files.sync_folder(target.parent)
    except OSError as error:
        raise StorageError(f"{target} was not written: {error.strerror or error}; make room or name another file, and try again") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    summary.size = target.stat().st_size
    return summary


def _dicts(
    folders: Mapping[Path, Mapping[str, Any]], wants: Callable[[str], bool], summary: BackupSummary, is_ended: Callable[[], bool]
) -> Iterator[tuple[DictHead, Iterator[Items]]]:
    for root in folders:
        for found in streamed_dicts(root):
            if wants(found.domain):
                summary.dicts += 1
                summary.keys += found.keys
                summary.faults += found.faults
                yield DictHead(found.domain, found.keys), _gently(found.parts, is_ended)


def _gently(parts: Iterator[Items], is_ended: Callable[[], bool]) -> Iterator[Items]:
    """With room for other threads, until it is ended."""
    for part in parts:
        if is_ended():
            raise StorageError("it was given up, as the service stops; ask for it again")
        yield part
        time.sleep(_PAUSE)
