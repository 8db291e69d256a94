"""The JSON engine, and what it is made of, for those who build stores of their own on the same journal.

A store owns its folder by a FolderLock, commits by a Journal, replaces files by `replace_file`, and keeps what is damaged by a
Quarantine. All of them go to the disk through one Files object, so that a test can let any call fail. They are imported when
they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.files import Files, make_folders, replace_file
    from storage.json.database import JSONDatabase
    from storage.json.entry import JournalEntry
    from storage.json.journal import Journal
    from storage.json.lockfile import FolderLock
    from storage.json.quarantine import DamagedPlace, Quarantine
    from storage.json.replay import Damage, Replay

_MODULES = {
    "Damage": "storage.json.replay",
    "DamagedPlace": "storage.json.quarantine",
    "Files": "storage.files",
    "FolderLock": "storage.json.lockfile",
    "JSONDatabase": "storage.json.database",
    "Journal": "storage.json.journal",
    "JournalEntry": "storage.json.entry",
    "Quarantine": "storage.json.quarantine",
    "Replay": "storage.json.replay",
    "make_folders": "storage.files",
    "replace_file": "storage.files",
}

__all__ = [
    "Damage",
    "DamagedPlace",
    "Files",
    "FolderLock",
    "JSONDatabase",
    "Journal",
    "JournalEntry",
    "Quarantine",
    "Replay",
    "make_folders",
    "replace_file",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
