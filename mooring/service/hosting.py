"""How one channel is opened in this process, and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from mooring.bots.calling import run_hook
from mooring.bots.plugin import Plugin
from mooring.bots.serving import PluginSets, ServingPlugins
from mooring.channel_config import ChannelConfig
from mooring.channels.channel import HostedChannel, host
from mooring.channels.interrupted import tell_interrupted, unfinished
from mooring.channels.presence import GONE_SECONDS, REFRESH_SECONDS
from mooring.channels.quota import Quota
from mooring.channels.runner import Wiring
from mooring.channels.sends import SendLimits
from mooring.channels.settings import ChannelSettings
from mooring.channels.system_dicts import SETTINGS
from mooring.channels.turn import Turn
from mooring.channels.workers import ChannelWorkers
from mooring.errors import PluginError
from mooring.kinds import CHARACTER_KINDS
from mooring.protocols import ServiceError, UnknownChannel
from mooring.service.dispatch import dispatch
from mooring.service.guarding import guarded
from mooring.service.intake import Intake
from storage import MoobiusStorage, StorageError
from storage.domains import variants

log = logging.getLogger("service")

_CLOSING_SECONDS = 5.0
"""For the storage of a channel to close, and for what is being sent from it to arrive; the rest waits until it is opened again."""


class Hosting(Intake):
    """The part of a service that puts its channels together."""

    _plugin_sets: PluginSets

    async def _at_start(self, hook: Coroutine[Any, Any, None]) -> None:
        """Await one of the hooks of the start."""
        await hook

    async def _open(self, config: ChannelConfig, changes: int = 0) -> None:
        """`changes` is the number of the decision to open the channel, if it was made at run time. Raises UnknownChannel if there is a newer one."""
        channel_id = config.id
        await self._open_storages(channel_id)
        storage = self.channels[channel_id]
        if changes and not await self._threads.run(_let_turns_come, storage, changes):
            await self._close_storage(channel_id)
            raise UnknownChannel(channel_id)
        serving = self._serving[channel_id] = await self._threads.run(self._served, config, storage)
        await self._threads.run(serving().prepare, storage)
        stuck, limits = self.plugins.runtime.stuck, config.limits.over(self._limits)
        workers = ChannelWorkers(channel_id, limits.handler_seconds, self._threads, stuck, self._incidents.add)
        wiring = Wiring(
            service=self._whole,
            route=self._route,
            deliver=self._gateways.deliver,
            wants_characters=self._wants_characters,
            wake_outbox=self._deliveries.wake,
            metrics=self._metrics,
            clock=self._clock,
            workers=workers,
            limits=SendLimits(limits.replies, limits.reply_bytes),
            quota=Quota(limits.keys, limits.bytes),
            plugin_names=lambda: serving().loaded,
        )
        channel = self._hosted[channel_id] = await host(config, storage, limits, lambda: serving().bars, wiring)
        serving.settings = channel.state.settings
        channel.state.settings.on_switched = partial(self._after_switching, channel_id)
        self._last_known.forget(channel_id)
        await self._deliveries.open(channel)
        channel.queue.start()
        await self._tell_interrupted(channel)
        for act in self._early.pop(channel_id, []):
            await self._post(channel_id, act)
        for plugin in serving().loaded.values():
            await self._begin_plugin(channel_id, plugin)

    def _served(self, config: ChannelConfig, storage: MoobiusStorage) -> ServingPlugins:
        for entry in config.dicts:
            if entry["name"] not in storage.names():
                storage.add_container(**entry)
        return ServingPlugins(lambda: self.plugins, self._plugin_sets, config.plugins, ChannelSettings(SETTINGS.of(storage)))

    async def _begin_plugin(self, channel_id: str, plugin: Plugin) -> None:
        if "on_channel_init" in plugin.hooks:
            with self._left_out_if_it_fails(plugin):
                await self.in_channel(channel_id, partial(run_hook, plugin, "on_channel_init"), name="on_channel_init")

    def plugins_switched(self, channel_id: str) -> None:
        """Take over which plugins serve the channel, which was committed. On the event loop."""
        before = self._channel_plugins(channel_id).loaded
        self._channel(channel_id).state.settings.refresh()
        for name, plugin in self._channel_plugins(channel_id).loaded.items():
            if name not in before:
                self.spawn(self._begin_plugin(channel_id, plugin), name=f"{name}: on_channel_init")

    def _after_switching(self, channel_id: str) -> None:
        """Show the channel anew with the plugins that it has now, here or because another process said so."""
        channel = self._hosted.get(channel_id)
        if channel is not None:
            self._gateways.deliver(channel_id, channel.state.screen.redrawn())
            self._gateways.deliver(channel_id, channel.member_updates.changes())
            self._gateways.channels_changed()
            self.timers.begin_channel(channel_id)

    async def _tell_interrupted(self, channel: HostedChannel) -> None:
        """Say on messages that a process was writing when it ended that nothing more will come."""
        storage, presence = channel.storage, channel.state.presence

        def is_alive(writer: str) -> bool:
            return writer == self._process_id if presence is None else presence.is_alive(writer, self._clock())

        async def tell(turn: Turn) -> None:
            tell_interrupted(turn, left)

        left = unfinished(storage, is_alive)
        if left:
            with suppress(StorageError, ServiceError):  # the next start tells it
                await channel.queue.run(tell)
        others = presence is not None and unfinished(storage, lambda writer: presence is not None and writer == presence.key)
        if others:
            self.spawn(self._tell_interrupted_later(channel), name=f"unfinished messages of {channel.config.id}")

    async def _tell_interrupted_later(self, channel: HostedChannel) -> None:
        """The same when a process of which nothing is heard any more counts as dead."""
        await asyncio.sleep(GONE_SECONDS + REFRESH_SECONDS)
        hosted = self._hosted.get(channel.config.id)
        if hosted is not None and hosted.queue is channel.queue:
            await self._tell_interrupted(channel)

    async def _open_storages(self, channel_id: str) -> None:
        token = variants.set(self._run_time_channels.variants())
        try:
            await self._at_start(self.on_channel_init(channel_id))
            if self.channels.get(channel_id) is None:  # overridden, by a bot that keeps nothing
                await self._open_storage(channel_id)
        finally:
            variants.reset(token)
        wanted, opened = self._run_time_channels.variant(channel_id), getattr(self.channels[channel_id], "variant", "")
        if opened != wanted:
            await self._close_storage(channel_id)
            raise StorageError(
                f"on_channel_init of {channel_id} has opened the data of a deleted channel with the same id; open the storage inside "
                f"on_channel_init, or with variant={wanted!r}"
            )

    async def _close_storage(self, channel_id: str) -> None:
        storage = self.channels.pop(channel_id, None)
        if storage is not None:
            await guarded(f"closing the storage of {channel_id}", self._threads.run(storage.close, name="close"), _CLOSING_SECONDS)

    async def _close_channel(self, channel_id: str, changes: int) -> None:
        """Take nothing new, finish what waits, and let go of the channel, in all processes; `changes` numbers the decision to do so."""
        channel = self._hosted[channel_id]
        self._closing.add(channel_id)
        self._gateways.channels_changed()
        try:
            if channel.state.is_shared:
                with suppress(StorageError, ServiceError):  # another process has closed it, or does
                    await channel.queue.run(partial(_let_no_turn_come, channel, changes))
            await channel.queue.stop(self._limits.handler_seconds)
            await self._let_go(channel_id)
        finally:
            self._closing.discard(channel_id)
        self.timers.wake(channel_id)

    async def _let_go(self, channel_id: str) -> None:
        """Close what there is of a channel, which may not have come up whole."""
        self._serving.pop(channel_id, None)
        await self._deliveries.close(channel_id, _CLOSING_SECONDS)
        channel = self._hosted.pop(channel_id, None)
        if channel is not None:
            await channel.queue.stop(_CLOSING_SECONDS)
            channel.workers.close()
        await self._close_storage(channel_id)

    @contextmanager
    def _left_out_if_it_fails(self, plugin: Plugin) -> Iterator[None]:
        """Go on without a plugin that does not start, in one line. Raises PluginError if it is required."""
        try:
            yield
        except Exception as error:
            if self._up.is_set():  # in one channel that is opened while it serves the others
                log.exception("plugin %s failed in a channel that is opened", plugin.name)
                return
            why = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            if plugin.entry.required:
                raise PluginError(f"plugin {plugin.name}: {why}") from error
            log.warning("Plugin %s was left out: %s", plugin.name, why)
            log.debug("what plugin %s raised", plugin.name, exc_info=True)
            self.plugins = self.plugins.without(plugin.name, why)

    async def _route(self, turn: Turn) -> None:
        await dispatch(self, turn, self._hosted[turn.channel_id])

    def _wants_characters(self) -> bool:
        return self._gateways.want(CHARACTER_KINDS)


def _let_turns_come(storage: MoobiusStorage, changes: int) -> bool:
    settings = ChannelSettings(SETTINGS.of(storage))
    with storage.transaction(event="channels"):
        return settings.open(changes)


async def _let_no_turn_come(channel: HostedChannel, changes: int, turn: Turn) -> None:
    turn.work = "closing the channel"
    channel.state.settings.close(changes)
    turn.sends.after_commit(channel.state.settings.refresh)
