"""What can be done to channels at run time; the same for a running service and for `mooring` over the store alone."""

from __future__ import annotations

import hashlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from mooring.channel_config import ChannelConfig
from mooring.channels.registry import ChannelRegistry
from mooring.config import faults_of
from mooring.made_channels import ChannelRefused, MadeChannel

log = logging.getLogger("service")
T = TypeVar("T")


class ChannelChanges(ABC):
    """Each change is one commit in the registry."""

    _configured: Mapping[str, ChannelConfig]

    @abstractmethod
    async def _read(self, look: Callable[[ChannelRegistry], T]) -> T:
        """Look something up in the registry. Raises StorageError."""

    @abstractmethod
    async def _change(self, work: Callable[[ChannelRegistry], MadeChannel]) -> MadeChannel:
        """Change the registry, and what follows from that. Raises StorageError."""

    @abstractmethod
    async def _wipe(self, made: MadeChannel) -> int:
        """Remove all data of a deleted channel; how many keys it had. Raises StorageError."""

    def _request(self) -> str:
        """What names the event in hand, and how many channels it has made so far; empty outside of events."""
        return ""

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

    def _refuse_configured(self, channel_id: str) -> None:
        if channel_id in self._configured:
            raise ChannelRefused(f"The channel {channel_id} stands in the config; change it there.")


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a channel's config. Raises ChannelRefused for what cannot be."""
    try:
        ChannelConfig.model_validate(fields)
    except ValidationError as error:
        faults = [f"{fault.field}: {fault.problem} ({fault.remedy})" for fault in faults_of(error, "", ChannelConfig)]
        raise ChannelRefused(f"There cannot be such a channel: {'; '.join(faults)}.") from error
    return dict(fields)


def _line(made: MadeChannel, state: str) -> dict[str, Any]:
    return {"id": made.id, "name": made.config.get("name") or made.id, "state": state, "made_at": made.made_at}


def _new_id(request: str) -> str:
    return hashlib.sha256(request.encode("utf-8", "surrogatepass")).hexdigest()[:16] if request else secrets.token_hex(8)
