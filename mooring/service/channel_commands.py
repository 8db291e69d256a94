"""The commands of the operator that are about channels; see `mooring.control.commands`."""

from __future__ import annotations

from typing import Any

import msgspec

from mooring.control.commands import ControlCommand
from mooring.service.channel_changes import ChannelChanges


class Create(msgspec.Struct, forbid_unknown_fields=True):
    """A new channel; `fields` are those of a channel in the config."""

    channel_id: str
    name: str = ""
    description: str = ""
    fields: dict[str, Any] = {}


class Update(msgspec.Struct, forbid_unknown_fields=True):
    """What is given is changed."""

    channel_id: str
    name: str | None = None
    description: str | None = None
    fields: dict[str, Any] = {}


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """One channel."""

    channel_id: str


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No arguments."""


async def _create(channels: ChannelChanges, asked: Create) -> str:
    return await channels.create_channel(asked.name, asked.description, channel_id=asked.channel_id, **_known(asked.fields))


async def _update(channels: ChannelChanges, asked: Update) -> None:
    await channels.update_channel(asked.channel_id, asked.name, asked.description, **_known(asked.fields))


async def _archive(channels: ChannelChanges, asked: Which) -> None:
    await channels.archive_channel(asked.channel_id)


async def _open(channels: ChannelChanges, asked: Which) -> None:
    await channels.open_channel(asked.channel_id)


async def _delete(channels: ChannelChanges, asked: Which) -> None:
    await channels.delete_channel(asked.channel_id)


async def _prune(channels: ChannelChanges, asked: Which) -> int:
    return await channels.prune_channel(asked.channel_id)


async def _list(channels: ChannelChanges, asked: Nothing) -> list[dict[str, Any]]:
    return await channels.list_channels()


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    """Without the names that are arguments of their own, which nobody gives twice."""
    return {name: value for name, value in fields.items() if name not in {"channel_name", "channel_desc", "bind", "made_by", "channel_id", "id"}}


CHANNEL_COMMANDS: tuple[ControlCommand[ChannelChanges], ...] = (
    ControlCommand("channel create", Create, _create),
    ControlCommand("channel update", Update, _update),
    ControlCommand("channel archive", Which, _archive),
    ControlCommand("channel open", Which, _open),
    ControlCommand("channel delete", Which, _delete),
    ControlCommand("channel prune", Which, _prune),
    ControlCommand("channel list", Nothing, _list),
)
