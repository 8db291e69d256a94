"""The storages of a service that does not run, opened one at a time for a command of the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mooring.bots.shared_stores import open_shared_store
from mooring.channels.registry import ChannelRegistry
from mooring.channels.system_dicts import OF_THE_SERVICE, SHARED_STORES, kept_beside
from mooring.errors import CommandError
from mooring.made_channels import variant_of
from mooring.text import clip
from storage import MoobiusStorage


class StoredStorages:
    """Opens the storage of a channel by its id; `configured` are the ids that the config names."""

    def __init__(self, service_id: str, configured: Sequence[str], db_config: Sequence[Mapping[str, Any]]) -> None:
        self._service_id = service_id
        self._configured = configured
        self._db_config = [{**entry, "load": False, "clear": False} for entry in db_config]

    def open_shared_store(self, name: str) -> MoobiusStorage | None:
        """The storage of a store that all channels share; None if no such store was ever used. As `open` otherwise."""
        with OF_THE_SERVICE.open(self._service_id, kept_beside(self._db_config)) as own:
            is_shared = name in SHARED_STORES.of(own)
        return open_shared_store(self._service_id, name, self._db_config) if is_shared else None

    def open(self, channel_id: str) -> MoobiusStorage:
        """Whoever opens it closes it. Blocks. Raises CommandError if there is no such channel, and StorageError, StoreLocked among them."""
        registry = ChannelRegistry(self._service_id, self._db_config)
        try:
            if channel_id not in self._configured and channel_id not in {made.id for made in registry.all()}:
                raise CommandError(f"There is no channel {clip(channel_id)} here.")
            variant = variant_of(registry.incarnation(channel_id))
        finally:
            registry.close()
        return MoobiusStorage(self._service_id, channel_id, self._db_config, variant=variant)
