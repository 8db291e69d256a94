"""Looking into the stores of plugins for their commands on the command line; see `mooring.control.commands`."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from mooring.bots.context import Context
from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.protocols import Service, ServiceError
from mooring.service.stored_storages import StoredStorages
from storage import MoobiusStorage
from storage.domains import is_store_name


class Stores(Protocol):
    """What the command acts on: a running service, or the store of one that does not run."""

    async def read(self, channel_id: str, name: str) -> dict[str, Any]:
        """All values of a store in a channel, or of one that all share, as they are kept; none if it was never used.

        Raises CommandError and StorageError.
        """


class LiveStores:
    """Those of a running service."""

    def __init__(self, service: Service[Context]) -> None:
        self._service = service

    async def read(self, channel_id: str, name: str) -> dict[str, Any]:
        """As Stores says."""

        async def look(ctx: Context) -> dict[str, Any]:
            return _values(ctx.storage, name)

        try:
            return await self._service.in_channel(channel_id, look, name="looking into a store")
        except ServiceError as error:
            raise CommandError(str(error)) from error


class StoredStores:
    """Those of a service that does not run. Blocks."""

    def __init__(self, storages: StoredStorages) -> None:
        self._storages = storages

    async def read(self, channel_id: str, name: str) -> dict[str, Any]:
        """As Stores says."""
        shared = self._storages.open_shared_store(name)
        if shared is not None:
            with shared:
                return _values(shared, name)
        with self._storages.open(channel_id) as storage:
            storage.declare(name)
            return _values(storage, name)


class StoreOfChannel(msgspec.Struct, forbid_unknown_fields=True):
    """A store, by its whole name, `plugin.store`."""

    channel_id: str
    name: str


async def _read(stores: Stores, asked: StoreOfChannel) -> dict[str, Any]:
    if not is_store_name(asked.name):
        raise CommandError(f"{asked.name} is no name of a store.")
    found: dict[str, Any] = msgspec.to_builtins(await stores.read(asked.channel_id, asked.name), enc_hook=str, str_keys=True)
    return found


def _values(storage: MoobiusStorage, name: str) -> dict[str, Any]:
    kept = getattr(storage, name) if name in storage.names() else storage.joint(name)
    return {} if kept is None else kept.copy()


STORE_COMMANDS: tuple[ControlCommand[Stores], ...] = (ControlCommand("store read", StoreOfChannel, _read),)
