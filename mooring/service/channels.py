"""Channels that are made, renamed, archived and deleted while the service runs."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from mooring.channel_config import ChannelConfig
from mooring.channels.registry import ChannelRegistry
from mooring.channels.turn import current_turn
from mooring.config import faults_of
from mooring.errors import PluginError
from mooring.events import Down
from mooring.made_channels import ChannelRefused, MadeChannel
from mooring.protocols import ServiceError, UnknownChannel
from mooring.service.hosting import Hosting
from storage import StorageError

log = logging.getLogger("service")


class Channels(Hosting):
    """The part of the Service protocol that makes channels, and takes them away.

    Each call is a commit of its own, which stays whatever becomes of the event in hand. Outside of events it returns when this process
    has opened or closed the channel; inside of one that happens a moment later, and what is sent there meanwhile waits for it. An event
    that is handled again, after a crash say, gets the channel that it made before.
    """

    async def create_channel(
        self, channel_name: str, channel_desc: str = "", bind: bool = True, *, channel_id: str | None = None, made_by: str = "", **fields: Any
    ) -> str:
        """Make a channel, and return its id. Without `channel_id` it gets one that nobody has; with `bind=False` it is archived at first.

        `fields` are those of a channel in the config (`welcome`, `access`, ...), and `made_by` is the member who asked for it. Raises ChannelRefused
        for an id that is taken, and for fields that cannot be; StorageError if it could not be kept.
        """
        request = self._request()
        given = {"name": channel_name, "description": channel_desc, **fields}
        config = _checked({"id": channel_id if channel_id is not None else _new_id(request), **{name: each for name, each in given.items() if each}})
        if config["id"] in self._configured:
            raise ChannelRefused(f"The config has a channel {config['id']} already.")

        def create(registry: ChannelRegistry) -> MadeChannel:
            made = registry.create(config, made_by=made_by, request=request)
            return made if bind or not made.is_open else registry.archive(made.id)

        made = await self._change(create)
        log.info("channel %s was made%s", made.id, f" by {made_by}" if made_by else "")
        return made.id

    async def update_channel(self, channel_id: str, channel_name: str | None = None, channel_desc: str | None = None, **fields: Any) -> None:
        """Give a channel another name, description, welcome, ...; what is not given stays. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        given = {"name": channel_name, "description": channel_desc, **fields}
        changed = {name: value for name, value in given.items() if value is not None}

        def update(registry: ChannelRegistry) -> MadeChannel:
            there = registry.get(channel_id)
            if there is not None:
                _checked({**there.config, **changed})
            return registry.update(channel_id, changed)

        await self._change(update)

    async def archive_channel(self, channel_id: str) -> None:
        """Close a channel, which stays as it is and can be opened again. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._change(lambda registry: registry.archive(channel_id))
        log.info("channel %s was archived", channel_id)

    async def open_channel(self, channel_id: str) -> None:
        """Open a channel that was archived, or the newest deleted one of this id. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._change(lambda registry: registry.open(channel_id))
        log.info("channel %s was opened", channel_id)

    async def delete_channel(self, channel_id: str) -> None:
        """Take a channel away. What it kept stays until `prune_channel`, and comes back by `open_channel` alone. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._change(lambda registry: registry.delete(channel_id))
        log.info("channel %s was deleted; what it kept stays until it is pruned", channel_id)

    async def made_channels(self) -> Sequence[MadeChannel]:
        """The channels that were made at run time, open and archived, in the order in which they were made."""
        return await self._run_time_channels.all()

    async def deleted_channels(self) -> Sequence[MadeChannel]:
        """Those that were deleted and not pruned, the newest last."""
        return await self._run_time_channels.deleted()

    # --------------------------------------------------------------------------------------------------------------------

    async def _change(self, work: Callable[[ChannelRegistry], MadeChannel]) -> MadeChannel:
        made = await self._run_time_channels.change(work)
        turn = current_turn()
        if turn is None or not turn.open:
            await self._run_time_channels.settle()
        return made

    def _refuse_configured(self, channel_id: str) -> None:
        if channel_id in self._configured:
            raise ChannelRefused(f"The channel {channel_id} stands in the config; change it there.")

    def _request(self) -> str:
        """What names the event in hand, and how many channels it has made so far; empty outside of events."""
        turn = current_turn()
        if turn is None or not turn.open or turn.event is None:
            return ""
        turn.channels_made += 1
        return f"{turn.channel_id}/{turn.member_id}/{turn.event.request_id}/{turn.channels_made}"

    async def _reconcile(self, wanted: Mapping[str, MadeChannel]) -> None:
        """Open, close and rename here until it is as the registry says."""
        before = {channel_id: channel.info for channel_id, channel in self._hosted.items()}
        for channel_id, channel in list(self._hosted.items()):
            if channel_id not in self._configured and not _is_same(channel.made, wanted.get(channel_id)):
                await self._close_channel(channel_id, channel.made.changes + 1 if channel.made else 1)
        for channel_id, made in wanted.items():
            if channel_id in self._configured:
                continue
            config = ChannelConfig.model_validate(made.config)
            there = self._hosted.get(channel_id)
            if there is None:
                await self._open_made(config, made)
            elif there.config != config:
                self._hosted[channel_id] = replace(there, config=config, made=made)
                self._gateways.deliver(channel_id, [Down("channel_info", channel_id, self._hosted[channel_id].info)])
        if before != {channel_id: channel.info for channel_id, channel in self._hosted.items()}:
            self._gateways.channels_changed()

    async def _open_made(self, config: ChannelConfig, made: MadeChannel) -> None:
        try:
            await self._open(config, made.changes)
        except UnknownChannel:
            log.info("channel %s was closed by another process meanwhile", config.id)
        except (StorageError, ServiceError, PluginError, OSError) as error:
            log.warning("channel %s was not opened, and is tried again: %s", config.id, error)
            self._incidents.add(f"channel {config.id} was not opened: {error}")
            await self._let_go(config.id)
            self._run_time_channels.look_again()
        else:
            self._hosted[config.id] = replace(self._hosted[config.id], made=made)
            if self._up.is_set():
                self.timers.begin_channel(config.id)


def _is_same(there: MadeChannel | None, wanted: MadeChannel | None) -> bool:
    return there is not None and wanted is not None and (there.incarnation, there.changes) == (wanted.incarnation, wanted.changes)


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a channel's config. Raises ChannelRefused for what cannot be."""
    try:
        ChannelConfig.model_validate(fields)
    except ValidationError as error:
        faults = [f"{fault.field}: {fault.problem} ({fault.remedy})" for fault in faults_of(error, "", ChannelConfig)]
        raise ChannelRefused(f"There cannot be such a channel: {'; '.join(faults)}.") from error
    return dict(fields)


def _new_id(request: str) -> str:
    return hashlib.sha256(request.encode("utf-8", "surrogatepass")).hexdigest()[:16] if request else secrets.token_hex(8)
