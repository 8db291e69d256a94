"""Where dicts live that code declares and no entry of the config names: `PLUGIN.STORE`."""

from __future__ import annotations

from collections.abc import Iterable

from storage.db_config import DictConfig
from storage.engines import engine_class
from storage.errors import ConfigError, Fault

_REMEDY = 'add {"implementation": "json", "name": "*", "settings": {"root_dir": "json_db"}}'


def keeps(entry: DictConfig | None) -> bool:
    """Whether what is in its engine is there after the end of the process."""
    return entry is not None and engine_class(entry.implementation).persistent


def entry_for(entries: Iterable[DictConfig], store: str) -> DictConfig:
    """The entry of the store's own name, or `*`, or else the first that keeps its data. Raises ConfigError if there is none."""
    by_name = {entry.name: entry for entry in entries}
    found = by_name.get(store) or by_name.get("*")
    if found is not None:
        return found
    beside = next(filter(keeps, by_name.values()), None)
    if beside is None:
        raise ConfigError([Fault("", store, "name", "no entry of the db config keeps data, so there is no place for it", _REMEDY)])
    return DictConfig(implementation=beside.implementation, name=store, settings=beside.settings)
