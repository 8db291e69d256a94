"""How one channel is opened in this process."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from mooring.bots.calling import run_hook
from mooring.bots.plugin import Plugin
from mooring.channel_config import ChannelConfig
from mooring.channels.channel import host
from mooring.channels.runner import Wiring
from mooring.channels.sends import SendLimits
from mooring.channels.turn import Turn
from mooring.channels.workers import ChannelWorkers
from mooring.errors import PluginError
from mooring.kinds import CHARACTER_KINDS
from mooring.service.dispatch import dispatch
from mooring.service.intake import Intake

log = logging.getLogger("service")


class Hosting(Intake):
    """The part of a service that puts its channels together."""

    async def _at_start(self, hook: Coroutine[Any, Any, None]) -> None:
        """Await one of the hooks of the start."""
        await hook

    async def _open(self, config: ChannelConfig) -> None:
        channel_id = config.id
        await self._at_start(self.on_channel_init(channel_id))
        if self.channels.get(channel_id) is None:  # overridden, by a bot that keeps nothing
            await self._open_storage(channel_id)
        await self._threads.run(self.plugins.prepare, self.channels[channel_id])
        stuck, limits = self.plugins.runtime.stuck, self._limits
        workers = ChannelWorkers(channel_id, limits.handler_seconds, self._threads, stuck, self._incidents.add)
        wiring = Wiring(
            service=self,
            route=self._route,
            deliver=self._gateways.deliver,
            wants_characters=self._wants_characters,
            wake_outbox=self._deliveries.wake,
            metrics=self._metrics,
            clock=self._clock,
            workers=workers,
            limits=SendLimits(limits.replies, limits.reply_bytes),
            plugin_names=lambda: self.plugins.loaded,
        )
        channel = self._hosted[channel_id] = await host(config, self.channels[channel_id], limits, lambda: self.plugins.bars, wiring)
        self._last_known.forget(channel_id)
        await self._deliveries.open(channel)
        channel.queue.start()
        for act in self._early.pop(channel_id, []):
            await self._post(channel_id, act)
        for plugin in self.plugins.loaded.values():
            if "on_channel_init" in plugin.hooks:
                with self._left_out_if_it_fails(plugin):
                    await self.in_channel(channel_id, partial(run_hook, plugin, "on_channel_init"), name="on_channel_init")

    @contextmanager
    def _left_out_if_it_fails(self, plugin: Plugin) -> Iterator[None]:
        """Go on without a plugin that does not start, in one line. Raises PluginError if it is required."""
        try:
            yield
        except Exception as error:
            why = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            if plugin.entry.required:
                raise PluginError(f"plugin {plugin.name}: {why}") from error
            log.warning("Plugin %s was left out: %s", plugin.name, why)
            log.debug("what plugin %s raised", plugin.name, exc_info=True)
            self.plugins = self.plugins.without(plugin.name, why)

    async def _route(self, turn: Turn) -> None:
        await dispatch(self, turn, self._hosted[turn.channel_id].findings)

    def _wants_characters(self) -> bool:
        return self._gateways.want(CHARACTER_KINDS)
