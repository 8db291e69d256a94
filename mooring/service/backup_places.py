"""Which dicts a backup has, where each of them lives, and which of them a restoring takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mooring.channels.system_dicts import (
    INBOX,
    OF_DELIVERIES,
    OF_THE_SERVICE,
    OUTBOX,
    PRESENCE,
    READ_MARKS,
    SHARED_VARIANT,
    UNFINISHED,
    ServiceDicts,
)
from mooring.config import ServiceConfig
from mooring.version import __version__
from storage.db_config import DictConfig, read_config
from storage.domains import domain_of, last_part
from storage.engines import find_engine
from storage.errors import StorageError
from storage.moobius_storage import TAKEN_NAMES
from storage.store_entries import entry_for, keeps

if TYPE_CHECKING:
    from storage.backup import BackupSummary

_NEVER = frozenset({PRESENCE.changed_as, UNFINISHED.changed_as})
"""What means nothing in another run of the service."""

_OF_SEVERAL_CHANNELS = frozenset(each.changed_as for each in (OUTBOX, INBOX, READ_MARKS, *OF_DELIVERIES))
"""How far networks and other channels have got with a channel. Put back by itself, it would disagree with them."""

_NO_CHANNELS = frozenset({OF_THE_SERVICE.variant, ServiceDicts("", ()).variant, SHARED_VARIANT})


class Places:
    """The folders that the configs of a service name. Raises ConfigError."""

    def __init__(self, service: ServiceConfig, entries: Sequence[Mapping[str, Any]]) -> None:
        self._service_id = service.service_id
        self._entries = read_config(list(entries), TAKEN_NAMES)
        of_channels = [entry for channel in service.channels for entry in channel.dicts]
        of_channels += [entry for template in service.templates.values() for entry in template.dicts]
        names = {entry.name for entry in self._entries}
        self._more = [entry for entry in read_config_of_each(of_channels) if entry.name not in names]
        self.folders: dict[Path, Mapping[str, Any]] = {}
        """With the settings of their engine."""
        self.elsewhere: list[str] = []
        """The names of dicts that are kept, and not in folders."""
        for entry in (*self._entries, *self._more):
            if _is_in_folder(entry):
                self.folders.setdefault(_root(entry), entry.settings)
            elif keeps(entry):
                self.elsewhere.append(entry.name)

    def is_kept(self, domain: str) -> bool:
        """Whether a backup has it."""
        return domain.startswith(self._prefix()) and domain.rpartition(".")[2] not in _NEVER

    def folder_of(self, domain: str) -> Path | None:
        """Where a dict lives by these configs; None if they keep nothing of it. Raises StorageError if there is no place for it."""
        entry = self._entry_of(domain.rpartition(".")[2])
        if entry is None:
            raise StorageError(f"the db config has no entry for {domain}; add one, or restore other dicts by --channel or --dict")
        if not keeps(entry):
            return None
        if not _is_in_folder(entry):
            remedy = "restore with a db config that names a folder, and let `mooring migrate` bring it from there"
            raise StorageError(f"{domain} is kept by {entry.implementation} now, and backups are restored into folders; {remedy}")
        return _root(entry)

    def selection(self, channel: str, dict_name: str) -> Callable[[str], bool]:
        """Whether a dict is among those of a channel, or of this name, or both; empty for any."""

        def is_selected(domain: str) -> bool:
            place, _, name = domain.rpartition(".")
            if channel and (name in _OF_SEVERAL_CHANNELS or not self._is_of(place, channel)):
                return False
            return self.is_kept(domain) and dict_name in {"", name} | ({dict_name} if last_part(dict_name) == name else set())

        return is_selected

    def backup(self, target: Path, channel: str = "", is_ended: Callable[[], bool] = lambda: False) -> BackupSummary:
        """Write one, of one channel if this is named. Blocks, until `is_ended` says that nobody wants it any more.

        Raises StorageError, also if nothing is kept of the channel.
        """
        from storage.backup import write_backup  # here, as engines are imported where a config names them
        from storage.backup_file import FORMAT, BackupHeader

        there = {root: settings for root, settings in self.folders.items() if root.is_dir()}
        if not there:
            raise StorageError("there is nothing to back up: the db config names no folder that is there")
        header = BackupHeader(FORMAT, self._service_id, __version__, time.time(), channel)
        summary = write_backup(target, there, header, self.selection(channel, ""), is_ended=is_ended)
        if channel and not summary.dicts:
            target.unlink()
            raise StorageError(f"nothing is kept of a channel {channel}; `mooring channel list` has the ids")
        return summary

    def _is_of(self, place: str, channel: str) -> bool:
        own = domain_of(self._service_id, channel, "").rpartition(".")[0]
        variant = place.removeprefix(f"{own}%")
        return place == own or (place != variant and variant not in _NO_CHANNELS)

    def _prefix(self) -> str:
        return domain_of(self._service_id, "", "").partition(".")[0] + "."

    def _entry_of(self, name: str) -> DictConfig | None:
        entries = [*self._entries, *self._more]
        if name.startswith("_"):
            return next(filter(keeps, self._entries), None)
        if "-" in name:
            return entry_for(entries, name.replace("-", ".", 1))
        return next((entry for entry in entries if entry.name == name), None)


def read_config_of_each(entries: Sequence[Mapping[str, Any]]) -> list[DictConfig]:
    """The entries of all channels, of which several may have a dict of the same name; the first one counts."""
    by_name = {str(entry.get("name")): entry for entry in reversed(entries)}
    return read_config(list(by_name.values()), TAKEN_NAMES)


def _is_in_folder(entry: DictConfig) -> bool:
    engine = find_engine(entry.implementation)
    return engine is not None and engine.name == "json"


def _root(entry: DictConfig) -> Path:
    return Path(entry.settings.get("root_dir", "")).resolve()
