"""Removing the data of a deleted channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mooring.channels.system_dicts import DELIVERIES, OF_CHANNELS, OF_DELIVERIES, SystemDict, of_channel, stores_of
from mooring.made_channels import MadeChannel
from storage import MoobiusStorage


def wipe(service_id: str, made: MadeChannel, db_config: Sequence[Mapping[str, Any]]) -> int:
    """Empty every dict of the channel, in one commit for each engine; how many keys there were. Blocks. Raises StorageError."""
    entries = [{**entry, "load": False, "clear": False} for entry in db_config]
    with MoobiusStorage(service_id, made.id, entries, variant=made.variant) as storage, storage.beside(DELIVERIES) as deliveries:
        for name in stores_of(storage):
            storage.declare(name)
        return _empty(deliveries, OF_DELIVERIES) + _empty(storage, {each.name: each for each in (*of_channel(storage), *OF_CHANNELS)}.values())


def _empty(storage: MoobiusStorage, system: Iterable[SystemDict]) -> int:
    dicts = [*(getattr(storage, name) for name in storage.names()), *(each.of(storage) for each in system)]
    with storage.transaction(event="prune"):
        keys = sum(len(each) for each in dicts)
        for each in dicts:
            each.clear()
    return keys
