"""Which dicts of the db config plugins use: that they are there, and that no two plugins use one without knowing it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from mooring.bots.plugin import Plugin
from mooring.errors import PluginError
from mooring.text import suggestion
from storage import MoobiusStorage
from storage.domains import is_store_name


def check_uses(plugins: Iterable[Plugin], storage: MoobiusStorage) -> None:
    """Raise PluginError if a channel lacks a dict that a plugin says it uses, or two of its plugins have one for themselves.

    A plugin says so by `USES_DICTS = ["gold"]` in its module, and by `SHARES_DICTS` for those that others may use as well. The dicts of its bars and
    declared values are used, too.
    """
    plugins = list(plugins)
    for plugin in plugins:
        for name in (*_alone(plugin), *plugin.shares):
            if name not in storage.names():
                problem = f"{plugin.name} uses a dict named {name}, which the db config does not have"
                raise PluginError(f"{problem}; add an entry with this name.{suggestion(name, storage.names())}")
    for plugin, other in combinations(plugins, 2):
        both = [name for name in (*_alone(plugin), *plugin.shares) if name in (*_alone(other), *other.shares)]
        for name in both:
            if name not in plugin.shares or name not in other.shares:
                problem = f"the plugins {plugin.name} and {other.name} use the same dict, {name}"
                raise PluginError(f"{problem}; let one of them use another, or put it into SHARES_DICTS in both if they mean to")


def _alone(plugin: Plugin) -> list[str]:
    return [name for name in plugin.dicts if not is_store_name(name)]
