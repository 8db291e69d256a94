"""What can be done to channels at run time; the same for a running service and for `mooring` over the store alone."""

from __future__ import annotations

import hashlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from mooring.channel_config import ChannelConfig, TemplateConfig, with_template
from mooring.channels.registry import ChannelRegistry
from mooring.config import channel_faults
from mooring.config_faults import faults_of
from mooring.made_channels import ChannelRefused, MadeChannel
from mooring.roles import rank
from storage.db_config import read_config
from storage.errors import ConfigError, Fault
from storage.moobius_storage import TAKEN_NAMES

log = logging.getLogger("service")
T = TypeVar("T")


class ChannelChanges(ABC):
    """Each change is one commit in the registry."""

    _configured: Mapping[str, ChannelConfig]
    _templates: Mapping[str, TemplateConfig]

    @abstractmethod
    async def _read(self, look: Callable[[ChannelRegistry], T]) -> T:
        """Look something up in the registry. Raises StorageError."""

    @abstractmethod
    async def _change(self, work: Callable[[ChannelRegistry], MadeChannel]) -> MadeChannel:
        """Change the registry, and what follows from that. Raises StorageError."""

    @abstractmethod
    async def _shut(self, made: MadeChannel) -> None:
        """End a closed channel in other processes, too. Raises StorageError."""

    @abstractmethod
    async def _wipe(self, made: MadeChannel) -> int:
        """Remove all data of a deleted channel; how many keys it had. Raises StorageError."""

    @property
    @abstractmethod
    def _plugin_names(self) -> Collection[str]:
        """The plugins that a channel can have."""

    @abstractmethod
    def _settings_faults(self, config: ChannelConfig) -> list[Fault]:
        """What of the settings for plugins does not fit, as far as that can be known here."""

    def _request(self) -> str:
        """What names the event in hand, and how many channels it has made so far; empty outside of events."""
        return ""

    async def create_channel(
        self,
        channel_name: str,
        channel_desc: str = "",
        bind: bool = True,
        *,
        channel_id: str | None = None,
        made_by: str = "",
        role: str | None = None,
        **fields: Any,
    ) -> str:
        """Make a channel, and return its id. Without `channel_id` it gets one that nobody has; with `bind=False` it is archived at first.

        `fields` are those of a channel in the config (`welcome`, `access`, `template`, `plugins`, ...). `made_by` is the member who asked for it, and
        `role` that member's; without a role nobody is asked whether it is allowed. Raises ChannelRefused for an id that is taken, for fields that
        cannot be, and for what this member may not make; StorageError if it could not be kept.
        """
        request = self._request()
        given = {"name": channel_name, "description": channel_desc, **fields}
        said = {name: value for name, value in given.items() if value is not None and value != ""}
        config = self._checked({"id": channel_id if channel_id is not None else _new_id(request), **said})
        if config["id"] in self._configured:
            raise ChannelRefused(f"The config has a channel {config['id']} already.")

        def create(registry: ChannelRegistry) -> MadeChannel:
            made = registry.create(config, made_by=made_by, request=request, check=partial(self._check_quota, config.get("template"), made_by, role))
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
                self._checked({**there.config, **changed})
            return registry.update(channel_id, changed)

        await self._change(update)

    async def archive_channel(self, channel_id: str) -> None:
        """Close a channel, which stays as it is and can be opened again. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._shut(await self._change(lambda registry: registry.archive(channel_id)))
        log.info("channel %s was archived", channel_id)

    async def open_channel(self, channel_id: str) -> None:
        """Open a channel that was archived, or the newest deleted one of this id. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._change(lambda registry: registry.open(channel_id))
        log.info("channel %s was opened", channel_id)

    async def delete_channel(self, channel_id: str) -> None:
        """Take a channel away. What it kept stays until `prune_channel`, and comes back by `open_channel` alone. Raises ChannelRefused."""
        self._refuse_configured(channel_id)
        await self._shut(await self._change(lambda registry: registry.delete(channel_id)))
        log.info("channel %s was deleted; what it kept stays until it is pruned", channel_id)

    async def made_channels(self) -> Sequence[MadeChannel]:
        """The channels that were made at run time, open and archived, in the order in which they were made."""
        return await self._read(lambda registry: registry.all())

    async def deleted_channels(self) -> Sequence[MadeChannel]:
        """Those that were deleted and not pruned, the newest last."""
        return await self._read(lambda registry: registry.deleted())

    async def list_channels(self) -> list[dict[str, Any]]:
        """All channels with `id`, `name`, `state` (`config`, `open`, `archived`, `deleted`) and `made_at`, in seconds since 1970."""
        listed = [{"id": each.id, "name": each.title, "state": "config", "made_at": 0.0} for each in self._configured.values()]
        listed += [_line(made, "open" if made.is_open else "archived") for made in await self.made_channels() if made.id not in self._configured]
        return listed + [_line(made, "deleted") for made in await self.deleted_channels()]

    async def prune_channel(self, channel_id: str) -> int:
        """Remove for good what deleted channels of this id kept; how many keys that was. Raises ChannelRefused if there is none."""
        gone = [made for made in await self.deleted_channels() if made.id == channel_id]
        if not gone:
            raise ChannelRefused(f"No channel {channel_id} was deleted that is not pruned.")
        keys = 0
        for made in gone:
            keys += await self._wipe(made)
            await self._read(lambda registry, made=made: registry.forget(made))  # type: ignore[misc]  # bound now
            log.warning("the data of the deleted channel %s was removed: %d keys by now", made.id, keys)
        return keys

    def _checked(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a channel's config. Raises ChannelRefused for what cannot be."""
        faults: list[Fault] = []
        try:
            config = with_template(ChannelConfig.model_validate(fields), self._templates)
            faults += channel_faults(config, self._plugin_names, self._templates, "", "") or self._settings_faults(config)
            read_config(config.dicts, TAKEN_NAMES)
        except ValidationError as error:
            faults += faults_of(error, "", ChannelConfig)
        except ConfigError as error:
            faults += error.faults
        if faults:
            said = "; ".join(f"{fault.field}: {fault.problem} ({fault.remedy})" for fault in faults)
            raise ChannelRefused(f"There cannot be such a channel: {said}.")
        return dict(fields)

    def _dicts_of(self, made: MadeChannel) -> Sequence[Mapping[str, Any]]:
        return with_template(ChannelConfig.model_validate(made.config), self._templates).dicts

    def _check_quota(self, name: str | None, made_by: str, role: str | None, there: Callable[[], list[MadeChannel]]) -> None:
        """Raise ChannelRefused if a member of this role, None for the operator, may make no channel by this template, or no more."""
        template = self._templates.get(name or "", TemplateConfig())
        if role is not None and rank(role) < rank(template.made_by):
            raise ChannelRefused(f"Only {template.made_by}s can make such a channel.")
        if template.most is None and template.most_per_member is None:
            return
        same = [made for made in there() if made.config.get("template") == name]
        if template.most is not None and len(same) >= template.most:
            raise ChannelRefused(f"There are {len(same)} channels by the template {name} already, and more there cannot be.")
        own = sum(1 for made in same if made.made_by == made_by)
        if role is not None and template.most_per_member is not None and own >= template.most_per_member:
            raise ChannelRefused(f"You have made {own} channels by the template {name} already, and more you cannot make.")

    def _refuse_configured(self, channel_id: str) -> None:
        if channel_id in self._configured:
            raise ChannelRefused(f"The channel {channel_id} stands in the config; change it there.")


def _line(made: MadeChannel, state: str) -> dict[str, Any]:
    return {"id": made.id, "name": made.config.get("name") or made.id, "state": state, "made_at": made.made_at}


def _new_id(request: str) -> str:
    return hashlib.sha256(request.encode("utf-8", "surrogatepass")).hexdigest()[:16] if request else secrets.token_hex(8)
