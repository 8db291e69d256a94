"""The five configs that the service class takes, each a dict or the name of a JSON file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mooring.bots.loading import load_plugins, with_entry
from mooring.bots.plugins import Plugins
from mooring.bots.serving import settings_faults
from mooring.channel_config import ChannelConfig, TemplateConfig
from mooring.config import LogConfig, PluginEntry, ServiceConfig, channel_faults, judgeable, parse_log, parse_service
from mooring.environment_settings import with_environment
from mooring.errors import PluginError
from storage.db_config import DictConfig, read_config
from storage.errors import ConfigError, Fault
from storage.json_config import expect_object, read_json
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


@dataclass(frozen=True)
class Sources:
    """Where the configs come from; `parts` take the place of what `config` has for them, and `plugin_config` goes over the configs of plugins."""

    config: Source
    parts: Mapping[str, Source]
    plugin_config: Mapping[str, Mapping[str, Any]]


def load_settings(sources: Sources, running: Plugins | None = None) -> Settings:
    """Read and check the configs, and load the plugins. Raises ConfigError with every fault.

    Where plugins are `running` none is loaded: those of them that the config still names get the entries that they have there now.
    """
    config, parts, plugin_config = sources.config, sources.parts, sources.plugin_config
    faults: list[Fault] = []
    whole = _collect(faults, lambda: expect_object(_read("config", config, faults), _name_of(config, "config"))) or {}
    raw: dict[str, Any] = dict(whole)
    names: dict[str, str] = {}
    for part in PARTS:
        source = parts.get(part) if parts.get(part) is not None else whole.get(part)
        names[part] = _name_of(source, part)
        # A db config has its own loader, which reads the file and names it in its faults.
        raw[part] = (source if source is not None else []) if part == "db_config" else _read(part, source, faults)
    log = _collect(faults, lambda: parse_log(expect_object(raw["log_config"], names["log_config"]), names["log_config"])) or LogConfig()
    service_raw = _collect(faults, lambda: expect_object(raw["service_config"], names["service_config"])) or {}
    raw["service_config"] = service_raw = _collect(faults, partial(with_environment, service_raw)) or service_raw
    service = _collect(faults, lambda: parse_service(service_raw, names["service_config"]))
    # Other faults of the file are no reason to leave what it names unchecked.
    lists = service or judgeable(service_raw)
    faults += _missing_folders(lists.plugin_folders, names["service_config"])
    entries = _with(lists.plugins, plugin_config)
    plugins = _collect(faults, partial(_plugins, entries, lists, names["service_config"], running)) or Plugins()
    dicts = _collect(faults, lambda: read_config(raw["db_config"], TAKEN_NAMES)) or []
    named = [entry.name for entry in entries] if service else _named(service_raw)
    faults += _faults_of_channels(lists, named, plugins, dicts, names["service_config"])
    if faults:
        raise ConfigError(faults)
    # From here on nobody reads the files again, so that all channels have the same config.
    raw["db_config"] = [entry.model_dump() for entry in dicts]
    return Settings(lists, log, plugins, raw)


def _plugins(entries: Sequence[PluginEntry], service: ServiceConfig, file: str, running: Plugins | None) -> Plugins:
    if running is None:
        return load_plugins(entries, service.plugin_folders, file, service.groups)
    plugins, faults = running, list[Fault]()
    for entry in entries:
        old = running.loaded.get(entry.name)
        if old is None or (old.entry == entry and old.groups == service.groups):
            continue
        try:
            plugins = plugins.with_plugin(with_entry(old, entry, file, service.groups))
        except ConfigError as error:
            faults += error.faults
        except PluginError as error:
            faults.append(Fault(file, f"plugin {entry.name}", "config", str(error), "mend it"))
    if faults:
        raise ConfigError(faults)
    return plugins


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


def _named(service_raw: Mapping[str, Any]) -> list[str]:
    """The names of all plugins of a config with faults, of the entries that are faulty as well."""
    entries = service_raw.get("plugins")
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in (entries if isinstance(entries, list) else [])]
    return [name for name in names if isinstance(name, str)]


def _missing_folders(folders: Sequence[str], file: str) -> Iterator[Fault]:
    for folder in folders:
        if not Path(folder).is_dir():
            remedy = f"make it, or mend the name; relative names start in {Path.cwd()}"
            yield Fault(file, "", "plugin_folders", f"there is no folder {folder}", remedy)


def _name_of(source: Source, otherwise: str) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else otherwise


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
