"""Channels that are made, renamed, archived and deleted while the service runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from mooring.bots.serving import settings_faults
from mooring.channel_config import ChannelConfig, with_template
from mooring.channels.registry import ChannelRegistry
from mooring.channels.turn import current_turn
from mooring.events import Down
from mooring.made_channels import MadeChannel
from mooring.protocols import UnknownChannel
from mooring.service.channel_changes import ChannelChanges
from mooring.service.hosting import Hosting
from mooring.service.wiping import wipe
from storage.errors import Fault

log = logging.getLogger("service")
T = TypeVar("T")


class Channels(Hosting, ChannelChanges):
    """The part of the Service protocol that makes channels, and takes them away.

    Each call is a commit of its own, which stays whatever becomes of the event in hand. Outside of events it returns when this process
    has opened or closed the channel; inside of one that happens a moment later, and what is sent there meanwhile waits for it. An event
    that is handled again, after a crash say, gets the channel that it made before.
    """

    # --------------------------------------------------------------------------------------------------------------------

    async def _read(self, look: Callable[[ChannelRegistry], T]) -> T:
        return await self._run_time_channels.change(look)

    async def _change(self, work: Callable[[ChannelRegistry], MadeChannel]) -> MadeChannel:
        made = await self._run_time_channels.change(work)
        turn = current_turn()
        if turn is None or not turn.open:
            await self._run_time_channels.settle()
        return made

    def _request(self) -> str:
        """What names the event in hand, and how many channels it has made so far; empty outside of events."""
        turn = current_turn()
        if turn is None or not turn.open or turn.event is None:
            return ""
        turn.channels_made += 1
        return f"{turn.channel_id}/{turn.member_id}/{turn.event.request_id}/{turn.channels_made}"

    @property
    def _plugin_names(self) -> Collection[str]:
        return self.plugins.loaded

    def _settings_faults(self, config: ChannelConfig) -> list[Fault]:
        return settings_faults(config.plugins, self.plugins, "", "")

    async def _shut(self, made: MadeChannel) -> None:
        async def shut() -> None:
            await self._run_time_channels.change(lambda registry: registry.shut(made))

        turn = current_turn()
        if turn is None or not turn.open:
            await shut()
        else:
            self.spawn(shut(), name=f"closing {made.id} elsewhere")  # this event may be what the channel waits for

    async def _wipe(self, made: MadeChannel) -> int:
        return await self._threads.run(wipe, self.service_id, made, [*self.config["db_config"], *self._dicts_of(made)])

    async def _reconcile(self, channel_ids: Collection[str]) -> None:
        """Open, close and rename these here until it is as the registry says."""
        is_changed = False
        wanted = {channel_id: self._run_time_channels.open.get(channel_id) for channel_id in channel_ids if channel_id not in self._configured}
        for channel_id, made in sorted(wanted.items(), key=lambda item: item[1].made_at if item[1] else 0.0):
            is_changed |= await self._reconcile_one(channel_id, made)
        if is_changed:
            self._gateways.channels_changed()

    async def _reconcile_one(self, channel_id: str, made: MadeChannel | None) -> bool:
        there = self._hosted.get(channel_id)
        before = None if there is None else (there.made, there.config)
        if there is not None and not _is_same(there.made, made):
            await self._close_channel(channel_id, there.made.changes + 1 if there.made else 1)
            there = None
        if made is not None:
            config = with_template(ChannelConfig.model_validate(made.config), self._templates)
            if there is None:
                await self._open_made(config, made)
            elif there.config != config:
                self._hosted[channel_id] = replace(there, config=config, made=made)
                self._serving[channel_id].uses = config.plugins
                self._gateways.deliver(channel_id, [Down("channel_info", channel_id, self._hosted[channel_id].info)])
        now = self._hosted.get(channel_id)
        return (None if now is None else (now.made, now.config)) != before

    async def _open_made(self, config: ChannelConfig, made: MadeChannel) -> None:
        try:
            await self._open(config, made.changes)
        except UnknownChannel:
            log.info("channel %s was closed by another process meanwhile", config.id)
        except Exception as error:
            # `on_channel_init` is a bot's code and may raise anything; the other channels go on.
            log.exception("channel %s was not opened, and is tried again", config.id)
            self._incidents.add(f"channel {config.id} was not opened: {error}")
            await self._let_go(config.id)
            self._run_time_channels.look_again(config.id)
        else:
            self._hosted[config.id] = replace(self._hosted[config.id], made=made)
            if self._up.is_set():
                self.timers.begin_channel(config.id)


def _is_same(there: MadeChannel | None, wanted: MadeChannel | None) -> bool:
    return there is not None and wanted is not None and (there.incarnation, there.changes) == (wanted.incarnation, wanted.changes)
