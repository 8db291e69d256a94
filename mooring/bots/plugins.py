"""All loaded plugins together: their commands, hooks and bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from mooring.bars.spec import BarSpec
from mooring.bots.plugin import Plugin
from mooring.bots.plugin_quotas import quotas_of
from mooring.bots.runtime import PluginRuntime
from mooring.bots.schemas import check_versions, migrate
from mooring.bots.stores import Store
from mooring.bots.uses import check_uses
from mooring.commands.command import CommandTable
from mooring.errors import PluginError
from mooring.text import nearest
from storage import MoobiusStorage


class Plugins:
    """All loaded plugins, or those of them that serve one channel, in the order of the config."""

    def __init__(
        self,
        loaded: Iterable[Plugin] = (),
        failed: Mapping[str, str] | None = None,
        runtime: PluginRuntime | None = None,
        everywhere: Mapping[str, Plugin] | None = None,
    ) -> None:
        self.loaded: Mapping[str, Plugin] = MappingProxyType({plugin.name: plugin for plugin in loaded})
        self.failed: Mapping[str, str] = MappingProxyType(dict(failed or {}))
        """What kept plugins out that are not required, by their names."""
        self.everywhere: Mapping[str, Plugin] = self.loaded if everywhere is None else everywhere
        """All that are loaded, of which these may be the ones that serve one channel."""
        self.runtime = runtime or PluginRuntime()
        self.table = CommandTable(entry for plugin in self.loaded.values() for entry in plugin.commands)
        self.bars = tuple(spec for plugin in self.loaded.values() for spec in plugin.bars)
        self._bars = _by_name(self.bars)
        self.values = tuple(values for plugin in self.loaded.values() for values in plugin.values)
        self.quotas = quotas_of(self.loaded.values())
        """What they may keep in one channel, as far as that is limited."""
        everybody = self.everywhere.values()
        # Not by the objects: work in the background that began before its plugin was loaded anew has those of the old code.
        self._store_names = {(store.module, store.name): f"{plugin.name}.{store.name}" for plugin in everybody for store in plugin.stores}
        self.store_values = tuple(values for plugin in everybody for values in plugin.store_values)
        """Of the stores that each channel has."""
        self.shared_values = tuple(values for plugin in everybody for values in plugin.shared_values)
        """Of the stores that all channels share."""

    def hooks(self, name: str) -> list[tuple[Plugin, Callable[..., Any]]]:
        """The functions for one of `HOOKS`, in the order of the config."""
        return [(plugin, plugin.hooks[name]) for plugin in self.loaded.values() if name in plugin.hooks]

    def bar(self, name: str) -> BarSpec:
        """The declared bar of this name. Raises PluginError if no plugin declares it."""
        spec = self._bars.get(name)
        if spec is None:
            match = nearest(name, self._bars)
            hint = f"; did you mean {match}?" if match else ""
            raise PluginError(f"no plugin declares a bar named {name!r}{hint}")
        return spec

    def store_name(self, store: Store[Any]) -> str:
        """The name of its dict in the storage of a channel. Raises PluginError if no loaded plugin declares it."""
        name = self._store_names.get((store.module, store.name))
        if name is None:
            raise PluginError(f"{store!r} of {store.module} is declared by no plugin that is loaded, so nobody can tell whose it is")
        return name

    def prepare(self, storage: MoobiusStorage) -> None:
        """See that a channel has the dicts that plugins declare, and migrate what is of older versions. Blocks.

        The stores of plugins that do not serve the channel are made as well, since a plugin is switched on in the middle of an event, which
        could not make them. Raises PluginError, and ConfigError for a store that has no place.
        """
        for values in self.store_values:
            storage.declare(values.dict)
        self.runtime.shared_stores.join(storage)
        storage.settle()
        for spec in self.bars:
            spec.kept_in(storage)
        check_uses(self.loaded.values(), storage)
        declared = (*self.values, *self.store_values)
        if declared:
            migrate(declared, storage)

    def check_ready(self, storage: MoobiusStorage) -> None:
        """Raise PluginError if the channel lacks a dict that they declare, or has values of another version. Nothing is changed."""
        for spec in self.bars:
            spec.kept_in(storage)
        check_uses(self.loaded.values(), storage)
        check_versions((*self.values, *self.store_values), storage)
        self.runtime.shared_stores.check(self.shared_values)

    def only(self, plugins: Iterable[Plugin]) -> Plugins:
        """These of them, some perhaps with other settings."""
        return Plugins(plugins, self.failed, self.runtime, self.loaded)

    def without(self, name: str, why: str) -> Plugins:
        """The same but for one that did not start."""
        return Plugins([plugin for plugin in self.loaded.values() if plugin.name != name], {**self.failed, name: why}, self.runtime)

    def with_plugin(self, plugin: Plugin) -> Plugins:
        """The same with `plugin` added, or in the place of the one with its name. Raises PluginError if they cannot be together."""
        failed = {name: why for name, why in self.failed.items() if name != plugin.name}
        return Plugins({**self.loaded, plugin.name: plugin}.values(), failed, self.runtime)


def _by_name(bars: Iterable[BarSpec]) -> dict[str, BarSpec]:
    named: dict[str, BarSpec] = {}
    for spec in bars:
        if spec.name in named:
            raise PluginError(f"two plugins declare a bar named {spec.name!r}; rename one of the two")
        named[spec.name] = spec
    return named
