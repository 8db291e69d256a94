"""Letting dicts of folders hold what a backup holds: all of it is staged first, and then counts in one step for each folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from storage.backup_file import BackupHeader, BackupReader, DictHead
from storage.cleared_backups import drop_surplus, keep_file
from storage.errors import StorageError
from storage.json.database import JSONDatabase
from storage.json.paths import snapshot_path
from storage.json.restoring import StagedDicts
from storage.json.store import Store
from storage.json.streaming import streamed_dicts


@dataclass
class RestoreFolder:
    """One folder that is restored to, with what is known of it before."""

    root: Path
    settings: Mapping[str, Any]
    there: dict[str, int] = field(default_factory=dict)
    """How many keys the dicts have that will be replaced or emptied, by domain, where they have any."""
    wanted: list[DictHead] = field(default_factory=list)
    """What it will have of the backup."""


def contents(file: BinaryIO, name: str, wants: Callable[[str], bool]) -> tuple[BackupHeader, list[DictHead]]:
    """Read a whole backup, check every byte, and list the dicts that are wanted. Raises BackupDamaged."""
    reader = BackupReader(file, name)
    return reader.header, [head for head, _ in reader.dicts() if wants(head.domain)]


@contextmanager
def opened_folders(folders: Sequence[RestoreFolder], gives_way: Callable[[str], bool]) -> Iterator[list[Store]]:
    """Inside of the block no other process uses the folders, and `there` of each says which dicts give way.

    Raises StoreLocked if one is in use.
    """
    with ExitStack() as opened:
        stores = []
        for folder in folders:
            engine = opened.enter_context(closing(JSONDatabase("", **{**folder.settings, "root_dir": folder.root})))
            opened.enter_context(engine.store.frozen())
            ours = {head.domain for head in folder.wanted}
            folder.there = {
                found.domain: found.keys for found in streamed_dicts(folder.root) if found.keys and (found.domain in ours or gives_way(found.domain))
            }
            stores.append(engine.store)
        yield stores


def stage(folder: RestoreFolder, store: Store, file: BinaryIO, name: str) -> StagedDicts:
    """Write what the folder shall hold beside what it holds. Raises StorageError and OSError; then nothing is left of it."""
    staged = StagedDicts(folder.root, store.sequence)
    left = {head.domain for head in folder.wanted}
    try:
        for head, parts in BackupReader(file, name).dicts():
            if head.domain in left:
                left.remove(head.domain)
                staged.add(head.domain, head.keys, parts)
        if left:
            raise StorageError(f"{name} was changed while it was read; nothing was restored")
        restored = {head.domain for head in folder.wanted}
        for domain in folder.there:
            if domain not in restored:
                staged.add(domain, 0, ())
    except BaseException:
        with suppress(OSError):
            staged.discard()
        raise
    return staged


def switch(folders: Sequence[RestoreFolder], staged: Sequence[StagedDicts]) -> list[Path]:
    """Keep what gives way, whose copies this returns, and let what is staged count. The folders must be opened once more for it to be in place."""
    kept = [(folder, keep_file(snapshot_path(folder.root, domain), domain, folder.root)) for folder in folders for domain in folder.there]
    for each in staged:
        each.declare_ready()
    for folder in folders:
        drop_surplus(folder.root, {path for of, path in kept if of is folder})
    return [path for _, path in kept]


def settle(folders: Sequence[RestoreFolder]) -> None:
    """Open and close the folders, which puts in place what counts since `switch`; the next start would do so, too."""
    for folder in folders:
        JSONDatabase("", **{**folder.settings, "root_dir": folder.root}).close()
