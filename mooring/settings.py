"""The five configs that the service class takes, each a dict or the name of a JSON file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mooring.bots.loading import load_plugins
from mooring.bots.plugins import Plugins
from mooring.bots.serving import settings_faults
from mooring.channel_config import ChannelConfig, TemplateConfig
from mooring.config import LogConfig, PluginEntry, ServiceConfig, channel_faults, parse_log, parse_service
from storage.db_config import DictConfig, read_config
from storage.errors import ConfigError, Fault
from storage.json_config import read_json
from storage.moobius_storage import TAKEN_NAMES

T = TypeVar("T")
Source = str | os.PathLike[str] | dict[str, Any] | list[Any] | None

PARTS = ("account_config", "service_config", "db_config", "log_config")


@dataclass(frozen=True)
class Settings:
    """The checked configs, the plugins that they name, and `raw`, the dict that the service shows as its `config`."""

    service: ServiceConfig
    log: LogConfig
    plugins: Plugins
    raw: dict[str, Any]


def load_settings(config: Source, parts: dict[str, Source], plugin_config: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Read and check the configs, and load the plugins; `parts` take the place of what `config` has for them.

    `plugin_config` goes over the configs of plugins, by their names. Raises ConfigError with every fault.
    """
    faults: list[Fault] = []
    whole = _read("config", config, faults)
    if not isinstance(whole, dict):
        faults.append(Fault("config", "", "", "is no JSON object", f"expected one with {', '.join(PARTS)}"))
        whole = {}
    raw: dict[str, Any] = dict(whole)
    names: dict[str, str] = {}
    for part in PARTS:
        source = parts.get(part) if parts.get(part) is not None else whole.get(part)
        names[part] = os.fspath(source) if isinstance(source, str | os.PathLike) else part
        # A db config has its own loader, which reads the file and names it in its faults.
        raw[part] = (source if source is not None else []) if part == "db_config" else _read(part, source, faults)
    log = _collect(faults, lambda: parse_log(_object(raw["log_config"], names["log_config"]), names["log_config"])) or LogConfig()
    service_raw = _collect(faults, lambda: _object(raw["service_config"], names["service_config"])) or {}
    service = _collect(faults, lambda: parse_service(service_raw, names["service_config"]))
    # Other faults of the file are no reason to leave the plugins unchecked.
    of_plugins: dict[str, Any] = {name: service_raw[name] for name in ("plugins", "groups") if name in service_raw}
    lists = service or _collect([], lambda: parse_service(of_plugins, "")) or ServiceConfig()
    entries = _with(lists.plugins, plugin_config)
    plugins = _collect(faults, lambda: load_plugins(entries, lists.plugin_folders, names["service_config"], lists.groups)) or Plugins()
    dicts = _collect(faults, lambda: read_config(raw["db_config"], TAKEN_NAMES)) or []
    if service is not None:
        faults += _faults_of_channels(service, [entry.name for entry in entries], plugins, dicts, names["service_config"])
    if faults:
        raise ConfigError(faults)
    # From here on nobody reads the files again, so that all channels have the same config.
    raw["db_config"] = [entry.model_dump() for entry in dicts]
    return Settings(lists, log, plugins, raw)


def _faults_of_channels(service: ServiceConfig, names: Sequence[str], plugins: Plugins, dicts: Sequence[DictConfig], file: str) -> list[Fault]:
    """What of channels and templates does not fit the plugins and dicts that there are."""
    places: list[tuple[str, ChannelConfig | TemplateConfig]] = [(f"channel {channel.id}", channel) for channel in service.channels]
    places += [(f"template {name}", template) for name, template in service.templates.items()]
    taken = TAKEN_NAMES | {entry.name for entry in dicts}
    faults: list[Fault] = []
    for place, each in places:
        faults += channel_faults(each, names, service.templates, file, place)
        faults += settings_faults(each.plugins, plugins, file, place)
        try:
            read_config(each.dicts, taken)
        except ConfigError as error:
            faults += [replace(fault, file=file, entry=f"{place}, dicts {fault.entry}") for fault in error.faults]
    return faults


def _collect(faults: list[Fault], check: Callable[[], T]) -> T | None:
    try:
        return check()
    except ConfigError as error:
        faults += error.faults
        return None


def _with(entries: Sequence[PluginEntry], plugin_config: Mapping[str, Mapping[str, Any]]) -> list[PluginEntry]:
    return [entry.model_copy(update={"config": {**entry.config, **plugin_config.get(entry.name, {})}}) for entry in entries]


def _read(part: str, source: Source, faults: list[Fault]) -> Any:
    if source is None:
        return {}
    if isinstance(source, dict | list):
        return source
    try:
        return read_json(source)
    except ConfigError as error:
        faults += error.faults
        return {}


def _object(value: Any, name: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise ConfigError([Fault(name, "", "", f"is a {type(value).__name__}", "expected a JSON object")])
