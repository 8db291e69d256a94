"""Which of the loaded plugins serve a channel, and with which settings."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mooring.bots.loading import with_settings
from mooring.bots.plugin import Plugin
from mooring.bots.plugins import Plugins
from mooring.channel_config import PluginUse
from mooring.channels.settings import ChannelSettings
from mooring.errors import PluginError
from storage import ConfigError
from storage.errors import Fault

log = logging.getLogger(__name__)


class PluginSets:
    """Makes the sets; channels that want the same share one. Reloading a plugin makes all of them anew."""

    def __init__(self) -> None:
        self._base = Plugins()
        self._made: dict[str, Plugins] = {}

    def of(self, base: Plugins, uses: Sequence[PluginUse] | None, switched: Mapping[str, bool]) -> Plugins:
        """Those of `base` that `uses` names, or all, but for what was switched on or off."""
        if uses is None and not switched:
            return base
        if base is not self._base:
            self._base = base
            self._made.clear()
        key = json.dumps([None if uses is None else [use.model_dump() for use in uses], sorted(switched.items())], default=repr)
        if key not in self._made:
            self._made[key] = base.only(_chosen(base, uses, switched))
        return self._made[key]


class ServingPlugins:
    """Those of one channel, as they are now. Calling it costs two comparisons unless something changed."""

    def __init__(self, base: Callable[[], Plugins], sets: PluginSets, uses: Sequence[PluginUse] | None, settings: ChannelSettings) -> None:
        self.uses = uses
        self.settings = settings
        self._base = base
        self._sets = sets
        self._seen: tuple[object, object, object] = (None, None, None)
        self._plugins = Plugins()

    def __call__(self) -> Plugins:
        """The set."""
        base, uses, switched = self._base(), self.uses, self.settings.switched
        if self._seen[0] is not base or self._seen[1] is not uses or self._seen[2] is not switched:
            self._plugins = self._sets.of(base, uses, switched)
            self._seen = (base, uses, switched)
        return self._plugins


def _chosen(base: Plugins, uses: Sequence[PluginUse] | None, switched: Mapping[str, bool]) -> list[Plugin]:
    settings = {use.name: use for use in uses or ()}
    named = base.loaded.keys() if uses is None else settings.keys()
    chosen = []
    for name, plugin in base.loaded.items():
        if switched.get(name, name in named):
            try:
                chosen.append(with_settings(plugin, settings[name]) if name in settings else plugin)
            except (ConfigError, PluginError) as error:
                # Checked before; but a channel that was made at run time may be older than the plugin's newest code.
                log.warning("plugin %s does not serve a channel, as its settings there do not fit: %s", name, error)
    return chosen


def settings_faults(uses: Sequence[PluginUse] | None, plugins: Plugins, file: str, place: str) -> list[Fault]:
    """What of the settings does not fit the plugins, which are loaded."""
    faults: list[Fault] = []
    for use in uses or ():
        if use.name in plugins.loaded:
            try:
                with_settings(plugins.loaded[use.name], use, file)
            except ConfigError as error:
                faults += [replace(fault, entry=", ".join(filter(None, (place, fault.entry)))) for fault in error.faults]
            except PluginError as error:
                faults.append(Fault(file, f"{place}, plugin {use.name}", "config", str(error), "mend it"))
    return faults
