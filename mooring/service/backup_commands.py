"""The operator's command for a backup; see `mooring.control.commands`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import msgspec

from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.service.backup_places import Places
from storage.errors import StorageError

log = logging.getLogger(__name__)


class BackupTarget(msgspec.Struct, forbid_unknown_fields=True):
    """Where the file shall be."""

    path: str
    channel: str = ""
    """The only channel whose dicts are wanted; empty for all."""
    only_folders: bool = False
    """Go on if some dicts are kept elsewhere, and leave these out."""


async def _backup(read_places: Callable[[], Places], asked: BackupTarget) -> dict[str, Any]:
    places = read_places()  # a reload may have brought other configs
    if places.elsewhere and not asked.only_folders:
        names = ", ".join(places.elsewhere)
        raise CommandError(f"{names} are not kept in folders and would be missing; back up their server by its own means, and say --only-folders.")
    ended = Event()
    try:
        summary = await asyncio.to_thread(places.backup, Path(asked.path), asked.channel, ended.is_set)
    except StorageError as error:
        raise CommandError(f"No backup was made: {error}") from error
    finally:
        ended.set()  # a stop does not wait for the thread
    log.info("a backup of %d dicts was written to %s", summary.dicts, asked.path)
    return {"dicts": summary.dicts, "keys": summary.keys, "bytes": summary.size, "faults": summary.faults[:100]}


BACKUP_COMMANDS: tuple[ControlCommand[Callable[[], Places]], ...] = (ControlCommand("backup", BackupTarget, _backup),)
