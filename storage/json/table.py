"""One dict of a store as it is in memory, and how it comes back from its file."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from storage.database_interface import Finding
from storage.domain_lock import DomainLock
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import StorageError
from storage.files import Files
from storage.json.paths import snapshot_path
from storage.json.quarantine import DamagedPlace, Quarantine
from storage.json.reformatted import read_reformatted
from storage.json.salvage import salvage
from storage.json.snapshots import Snapshot, read

Change = tuple[str, Encoded | None]
"""A key with its new text, or with None for taking it out."""


class Watcher(Protocol):
    version: int


class Table:
    """Shared by all engine objects of the domain. `values` is there once the store has loaded it."""

    def __init__(self, root: Path, domain: str) -> None:
        self.domain = domain
        self.name = msgspec.json.encode(codec.escape_key(domain))
        self.path = snapshot_path(root, domain)
        self.lock = DomainLock()
        """For transactions; the store itself does not take it."""
        self.values: dict[str, Encoded] = {}
        self.version = 0
        self.loaded = False
        self.dirty = False
        """The journal has changes that the snapshot has not."""
        self.size = 0
        """Length of the snapshot file."""
        self.findings: list[Finding] = []
        self._watchers: list[weakref.ref[Watcher]] = []

    def watch(self, watcher: Watcher) -> None:
        """Pushes the version to the watcher from now on: an attribute is cheaper to read than a property. Not thread-safe."""
        watcher.version = self.version
        # Forgotten watchers are sorted out here and not by a callback, which could run in the middle of `apply`.
        self._watchers = [known for known in self._watchers if known() is not None]
        self._watchers.append(weakref.ref(watcher))

    def replay(self, key: str, value: Encoded | None) -> None:
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def apply(self, changes: Sequence[Change]) -> None:
        """One commit, which the watchers see at once."""
        values = self.values
        for key, value in changes:
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        self.version = version = self.version + 1
        for reference in self._watchers:
            watcher = reference()
            if watcher is not None:
                watcher.version = version


def read_snapshot(table: Table, root: Path, files: Files, quarantine: Quarantine) -> Snapshot:
    """The table's file, or an empty snapshot if there is none. Damaged parts are kept and go to the table's findings."""
    try:
        data = files.read(table.path)
    except FileNotFoundError:
        return Snapshot({})
    try:
        snapshot = read_file(data, table.domain)
    except StorageError as error:  # of a later format
        raise StorageError(f"{table.path}: {error}") from error
    if snapshot.faults:
        faults = [DamagedPlace(fault.offset, table.domain, fault.key, fault.reason) for fault in snapshot.faults]
        kept = quarantine.keep(table.path, data, faults)
        table.findings = [
            Finding("quarantined", table.domain, fault.key, f"{table.path}:{fault.offset}", fault.reason, str(kept)) for fault in faults
        ]
    return snapshot


def read_file(data: bytes, domain: str) -> Snapshot:
    """What a file holds, with the faults of one that is not as it was written. Raises StorageError for one of a later format."""
    return read(data, domain) or _mended(data, domain)


def _mended(data: bytes, domain: str) -> Snapshot:
    """What a file holds that is not as it was written. Salvage tells where the damage is, and so comes first wherever it finds as much."""
    salvaged, reformatted = salvage(data, domain), read_reformatted(data, domain)
    return reformatted if reformatted is not None and len(reformatted.values) > len(salvaged.values) else salvaged
