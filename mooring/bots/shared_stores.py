"""The storages of the stores that all channels of a service share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mooring.bots.schemas import check_versions, migrate
from mooring.bots.stores import StoreValues
from mooring.channels.system_dicts import OF_THE_SERVICE, SHARED_STORES, SHARED_VARIANT, kept_beside
from storage import CachedDict, ConfigError, MoobiusStorage
from storage.db_config import read_config
from storage.errors import Fault
from storage.moobius_storage import TAKEN_NAMES
from storage.store_entries import entry_for


class SharedStores:
    """Each in a storage of its own, so that it has a version of its own. One object for a service."""

    def __init__(self) -> None:
        self._storages: dict[str, MoobiusStorage] = {}

    def open(self, service_id: str, db_config: Sequence[Mapping[str, Any]], declared: Iterable[StoreValues]) -> None:
        """Open them and migrate what is of older versions. Blocks. Raises ConfigError, PluginError and StorageError; `close` all the same."""
        declared = list(declared)
        if not declared:
            return
        for values in declared:
            storage = self._storages[values.dict] = open_shared_store(service_id, values.dict, db_config)
            migrate((values,), storage)
            storage.follow(_nothing)
        with OF_THE_SERVICE.open(service_id, kept_beside(db_config)) as own:
            known = SHARED_STORES.of(own)
            for values in declared:
                if values.dict not in known:
                    known[values.dict] = True

    def check(self, declared: Iterable[StoreValues]) -> None:
        """Raise PluginError for values of another version than these."""
        for values in declared:
            if values.dict in self._storages:
                check_versions((values,), self._storages[values.dict])

    def join(self, storage: MoobiusStorage) -> None:
        """Let them take part in what the events of a channel change. Raises ConfigError for one that cannot."""
        for name, shared in self._storages.items():
            try:
                storage.join(name, shared)
            except ConfigError as error:
                raise ConfigError([Fault("db_config", name, "settings", fault.problem, fault.remedy) for fault in error.faults]) from error

    def dicts(self) -> Iterator[tuple[str, CachedDict]]:
        """All of them, by name."""
        for name, storage in list(self._storages.items()):
            yield name, getattr(storage, name)

    def close(self) -> None:
        """Close the storages, which blocks. Calling it twice is fine."""
        while self._storages:
            self._storages.popitem()[1].close()


def _nothing() -> None:
    """Whoever uses a store finds what other processes committed; nobody has to be told."""


def open_shared_store(service_id: str, name: str, db_config: Sequence[Mapping[str, Any]]) -> MoobiusStorage:
    """The storage of one, in which its dict is the one of this name. Blocks. Raises ConfigError and StorageError."""
    entry = entry_for(read_config(db_config, TAKEN_NAMES), name)
    beside = [each for each in kept_beside(db_config) if each["name"] != name]
    storage = MoobiusStorage(service_id, name, [*beside, {**entry.model_dump(), "name": name}], variant=SHARED_VARIANT)
    try:
        storage.declare(name)
    except BaseException:
        storage.close()
        raise
    return storage
