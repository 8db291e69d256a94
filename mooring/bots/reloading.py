"""Loading a plugin anew while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from mooring.bots.calling import call
from mooring.bots.context import Service
from mooring.bots.discovery import renewed
from mooring.bots.lifespan import Lifespans
from mooring.bots.loading import Plugin, Plugins, load_plugin
from mooring.errors import PluginError
from mooring.text import suggestion

logger = logging.getLogger(__name__)


async def reload(service: Service, lifespans: Lifespans, plugins: Plugins, name: str, folders: Sequence[str]) -> Plugins:
    """All plugins with the code of one run anew. The caller puts them in force, which is one assignment between two events.

    Raises PluginError or ConfigError if the new code cannot take over; the old one goes on then as if nothing had been.
    """
    old = plugins.loaded.get(name)
    if old is None:
        raise PluginError(f"No plugin called {name} is loaded.{suggestion(name, plugins.loaded)}")
    new, together = await asyncio.to_thread(_load, plugins, old, folders)
    await _hand_over(service, lifespans, old, new)
    return together


def _load(plugins: Plugins, old: Plugin, folders: Sequence[str]) -> tuple[Plugin, Plugins]:
    with renewed(old.module.__name__):
        new = load_plugin(old.entry, folders)
        if [(values.dict, values.version) for values in new.values] != [(values.dict, values.version) for values in old.values]:
            raise PluginError("it declares its values in new versions; they are migrated when the service starts, so restart it")
        return new, plugins.with_plugin(new)


async def _hand_over(service: Service, lifespans: Lifespans, old: Plugin, new: Plugin) -> None:
    await _end(service, lifespans, old)
    try:
        await _begin(service, lifespans, new)
    except Exception as error:
        logger.exception("the new code of plugin %s did not start; the old one goes on", new.name)
        await lifespans.leave(new.name)
        await _begin(service, lifespans, old)
        raise PluginError(f"its new code did not start: {type(error).__name__}: {error}") from error


async def _begin(service: Service, lifespans: Lifespans, plugin: Plugin) -> None:
    await lifespans.enter(service, plugin)
    if "on_start" in plugin.hooks:
        await call(plugin.hooks["on_start"], service, plugin.config)


async def _end(service: Service, lifespans: Lifespans, plugin: Plugin) -> None:
    if "on_stop" in plugin.hooks:
        await call(plugin.hooks["on_stop"], service, plugin.config)
    await lifespans.leave(plugin.name)
