"""The channels of a service that does not run: `mooring` changes them in the store itself, which it opens for as long as that takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mooring.channel_config import ChannelConfig
from mooring.channels.registry import ChannelRegistry
from mooring.config import ServiceConfig
from mooring.made_channels import MadeChannel
from mooring.service.channel_changes import ChannelChanges
from mooring.service.wiping import wipe
from storage import StorageError
from storage.errors import Fault

T = TypeVar("T")


class StoredChannels(ChannelChanges):
    """Blocks, whatever its signatures say. Close it. Raises StoreLocked if a process has the store that takes no commands."""

    def __init__(self, service: ServiceConfig, db_config: Sequence[Mapping[str, Any]]) -> None:
        service_id, configured = service.service_id, service.channels
        self._service_id = service_id
        self._templates = service.templates
        self._loaded = [entry.name for entry in service.plugins]
        self._db_config = db_config
        self._configured = {channel.id: channel for channel in configured}
        self._registry = ChannelRegistry(service_id, db_config)
        if not self._registry.keeps:
            self._registry.close()
            raise StorageError("No dict of the db config is in an engine that keeps anything, so no channel can be kept; add one.")
        self._registry.note_configured(list(self._configured))

    def close(self) -> None:
        """Let go of the store."""
        self._registry.close()

    @property
    def _plugin_names(self) -> list[str]:
        return self._loaded

    def _settings_faults(self, config: ChannelConfig) -> list[Fault]:
        return []  # no plugin is loaded here; the service checks when it opens the channel

    async def _read(self, look: Callable[[ChannelRegistry], T]) -> T:
        return look(self._registry)

    async def _change(self, work: Callable[[ChannelRegistry], MadeChannel]) -> MadeChannel:
        return work(self._registry)

    async def _shut(self, made: MadeChannel) -> None:
        self._registry.shut(made)

    async def _wipe(self, made: MadeChannel) -> int:
        return wipe(self._service_id, made, [*self._db_config, *self._dicts_of(made)])
