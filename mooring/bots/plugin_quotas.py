"""How much each plugin, and each of its stores, may keep in one channel, as the config says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mooring.bots.plugin import Plugin
from mooring.channels.quota import Quota
from mooring.config import Amounts
from mooring.errors import PluginError
from mooring.text import suggestion
from storage import MoobiusStorage


@dataclass(frozen=True)
class PluginQuota:
    """For some dicts of one plugin together."""

    whose: str
    """For the refusal."""
    dicts: tuple[str, ...]
    quota: Quota

    def check(self, storage: MoobiusStorage) -> None:
        """Raise CommandError if the open transaction would lead beyond it."""
        self.quota.check_dicts(storage, self.dicts, self.whose)


def quotas_of(plugins: Iterable[Plugin]) -> tuple[PluginQuota, ...]:
    """Those that are set."""
    found = []
    for plugin in plugins:
        limits = plugin.entry.limits
        found.append(PluginQuota(f"The plugin {plugin.name}", plugin.dicts, _quota(limits)))
        for name, amounts in limits.stores.items():
            found.append(PluginQuota(f"{name} of the plugin {plugin.name}", (f"{plugin.name}.{name}",), _quota(amounts)))
    return tuple(each for each in found if each.quota.is_set)


def check_limits(plugin: Plugin) -> None:
    """Raise PluginError if the config limits a store that the plugin does not declare."""
    names = [store.name for store in plugin.stores]
    for name in plugin.entry.limits.stores:
        if name not in names:
            raise PluginError(f"its limits name the store {name}, which it does not declare.{suggestion(name, names)}")


def _quota(amounts: Amounts) -> Quota:
    return Quota(amounts.keys, amounts.bytes)
