"""Loading a plugin anew while the service runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mooring.bots.context import Service
from mooring.bots.discovery import renewed
from mooring.bots.lifespan import Lifespans
from mooring.bots.loading import load_plugin
from mooring.bots.plugin import Plugin
from mooring.bots.plugins import Plugins
from mooring.containment import within
from mooring.errors import HandlerFailed, PluginError
from mooring.text import suggestion
from mooring.threads import Threads

logger = logging.getLogger(__name__)


async def reload(
    service: Service, lifespans: Lifespans, threads: Threads, plugins: Plugins, name: str, *, folders: Sequence[str], seconds: float
) -> Plugins:
    """All plugins with the code of one run anew. The caller puts them in force, which is one assignment between two events.

    Raises PluginError or ConfigError if the new code cannot take over; the old one goes on then as if nothing had been. Of
    loading, beginning and ending each may take so many seconds.
    """
    old = plugins.loaded.get(name)
    if old is None:
        raise PluginError(f"No plugin called {name} is loaded.{suggestion(name, plugins.loaded)}")
    try:
        new, together = await within(seconds, threads.run(_load, plugins, old, folders, name=f"reload {name}"), f"loading {name}")
    except HandlerFailed as error:
        raise PluginError(str(error)) from error
    await _take_over(service, lifespans, old, new, seconds)
    plugins.runtime.stuck.forget(name)
    return together


async def change_entry(service: Service, lifespans: Lifespans, plugins: Plugins, new: Plugin, *, seconds: float) -> Plugins:
    """All plugins, one of them with the settings that `new` has. Its lifespan begins again if its config is another one.

    Raises PluginError if it does not start with them; it goes on with the old ones then.
    """
    old = plugins.loaded[new.name]
    together = plugins.with_plugin(new)
    if new.entry.config != old.entry.config:
        await _take_over(service, lifespans, old, new, seconds)
    return together


async def _take_over(service: Service, lifespans: Lifespans, old: Plugin, new: Plugin, seconds: float) -> None:
    await lifespans.end(service, old, seconds)
    try:
        await lifespans.begin(service, new)
    except PluginError as error:
        logger.exception("what is new of plugin %s did not start; the old one goes on", new.name)
        await lifespans.drop(new.name, seconds)
        await lifespans.begin(service, old)
        raise PluginError(f"its new code did not start: {error}") from error


def _load(plugins: Plugins, old: Plugin, folders: Sequence[str]) -> tuple[Plugin, Plugins]:
    with renewed(old.module.__name__):
        new = load_plugin(old.entry, folders, groups=old.groups)
        if _kept_by(new) != _kept_by(old):
            raise PluginError("it declares other stores, or its values in new versions; they are migrated when the service starts, so restart it")
        return new, plugins.with_plugin(new)


def _kept_by(plugin: Plugin) -> list[tuple[str, int]]:
    return [(values.dict, values.version) for values in (*plugin.values, *plugin.store_values)]
