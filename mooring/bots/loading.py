"""The one door through which plugins come in, built-in or not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import MappingProxyType, ModuleType
from typing import Any

from mooring.bots.declarations import bars_of, config_of, declared, functions_of, hooks_of, lifespan_of
from mooring.bots.discovery import NotFound, find_plugin, plugin_names
from mooring.bots.plugin import Plugin
from mooring.bots.plugin_quotas import check_limits
from mooring.bots.plugins import Plugins
from mooring.bots.schedule import timers_of
from mooring.bots.schemas import Values
from mooring.bots.stores import stores_of, values_of
from mooring.channel_config import PluginUse
from mooring.channels.sends import checked
from mooring.channels.system_dicts import ServiceDicts
from mooring.commands.command import commands_of
from mooring.commands.permissions import Groups, permitted, rules_for_all
from mooring.config import PluginEntry
from mooring.errors import PluginError
from storage.errors import ConfigError, Fault

logger = logging.getLogger(__name__)


def load_plugins(
    entries: Sequence[PluginEntry], folders: Sequence[str] = (), file: str = "service.json", groups: Groups = MappingProxyType({})
) -> Plugins:
    """Load the plugins that the config names; each comes in whole or not at all. `groups` are those that permissions may name.

    A plugin that is not required and fails is left out with one warning. Raises ConfigError with every fault of the required
    ones, and of the configs of all.
    """
    plugins = Plugins()
    failed: dict[str, str] = {}
    faults: list[Fault] = []
    for entry in entries:
        try:
            plugins = plugins.with_plugin(load_plugin(entry, folders, file, groups))
        except ConfigError as error:
            faults.extend(error.faults)
        except PluginError as error:
            if entry.required:
                faults.append(Fault(file, f"plugin {entry.name}", "", str(error), 'mend it, or set "required" to false to start without it'))
            else:
                logger.warning("Plugin %s was left out: %s", entry.name, error)
                failed[entry.name] = str(error)
    if faults:
        raise ConfigError(faults)
    return Plugins(plugins.loaded.values(), failed)


def load_plugin(entry: PluginEntry, folders: Sequence[str] = (), file: str = "service.json", groups: Groups = MappingProxyType({})) -> Plugin:
    """Load one plugin. Raises PluginError, or ConfigError if its config has faults; whatever its code raises is a PluginError."""
    try:
        return _made(_import(entry.name, folders), entry, file, groups)
    except (ConfigError, PluginError):
        raise
    except BaseException as error:
        raise PluginError(f"its code failed while it was loaded: {type(error).__name__}: {error}") from error


def with_settings(plugin: Plugin, use: PluginUse, file: str = "service.json") -> Plugin:
    """The plugin with the settings and permissions of a channel laid over its own. Raises ConfigError and PluginError."""
    if not (use.config or use.allow):
        return plugin
    own = plugin.entry
    entry = own.model_copy(update={"config": {**own.config, **use.config}, "allow": {**own.allow, **use.allow}})
    return _made(plugin.module, entry, file, plugin.groups)


def with_entry(plugin: Plugin, entry: PluginEntry, file: str, groups: Groups) -> Plugin:
    """The plugin with another entry of the config, and the code that it has. Raises ConfigError and PluginError."""
    return _made(plugin.module, entry, file, groups)


def _made(module: ModuleType, entry: PluginEntry, file: str, groups: Groups) -> Plugin:
    config = config_of(module, entry, file)
    stores = stores_of(entry.name, module)
    plugin = Plugin(
        name=entry.name,
        module=module,
        config=config,
        commands=permitted(commands_of(entry.name, functions_of(module), config), entry.allow, groups),
        rules=rules_for_all(entry.allow, groups),
        groups=groups,
        hooks=hooks_of(module),
        lifespan=lifespan_of(module),
        bars=bars_of(module, config),
        timers=timers_of(entry.name, functions_of(module)),
        values=declared(module, "VALUES", Values),
        stores=stores,
        store_values=values_of(entry.name, (store for store in stores if not store.is_shared)),
        shared_values=values_of(entry.name, (store for store in stores if store.is_shared)),
        uses=declared(module, "USES_DICTS", str),
        shares=declared(module, "SHARES_DICTS", str),
        entry=entry,
    )
    check_limits(plugin)
    # What every member is shown who comes in.
    checked("plugin", [plugin.summary, [command.describe() for command in plugin.commands], plugin.bars], Any)
    return plugin


def _import(name: str, folders: Sequence[str]) -> ModuleType:
    try:
        return find_plugin(name, folders)
    except NotFound as error:
        raise PluginError(str(error)) from error
    except BaseException as error:
        raise PluginError(f"its code failed while it was imported: {type(error).__name__}: {error}") from error


def kept_by_plugins(folders: Sequence[str] = ()) -> list[ServiceDicts]:
    """What all plugins that can be found keep for the service, in the config now or not: what they kept before is still there.

    Raises PluginError for one whose code fails, since nobody knows what it keeps.
    """
    found: list[ServiceDicts] = []
    for name in plugin_names(folders):
        found += declared(_import(name, folders), "SERVICE_DICTS", ServiceDicts)
    return found
