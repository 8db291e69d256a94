"""The part of a config that says what a channel is: the models that a config file and the channels made at run time share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from mooring.roles import Role
from mooring.rooms import Room, WhenUnsure, checked_network

_FROM_TEMPLATE = ("description", "welcome", "tries", "access", "plugins", "dicts")
"""The fields that a template gives."""


class StrictModel(BaseModel):
    """Knows all of its fields, and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RoomConfig(StrictModel):
    """A network's room to which a channel is bound. `NETWORK/ROOM` is short for both ids."""

    network: str
    id: str = Field(min_length=1, max_length=500)
    when_unsure: WhenUnsure = "skip"

    @field_validator("network")
    @classmethod
    def _can_be_called_so(cls, network: str) -> str:
        return checked_network(network)

    @property
    def room(self) -> Room:
        """The two ids in one."""
        return Room(self.network, self.id)


def _short_names(allowed: Any) -> Any:
    if isinstance(allowed, str | list):
        allowed = {"*": allowed}
    return {name: [names] if isinstance(names, str) else names for name, names in allowed.items()} if isinstance(allowed, dict) else allowed


Permissions = Annotated[dict[str, Annotated[list[str], Field(min_length=1)]], BeforeValidator(_short_names)]
"""Who may use a plugin's commands: roles and groups by command, or `*` for all of them. A role or list alone is short for `*`."""


class PluginUse(StrictModel):
    """A plugin that serves a channel. A bare string in the list of plugins is short for its name."""

    name: str = Field(min_length=1)
    config: dict[str, Any] = Field(default_factory=dict)
    """Goes over the plugin's own settings, in this channel."""
    allow: Permissions = Field(default_factory=dict)
    """Goes over the plugin's own permissions, in this channel."""


def _short_plugins(plugins: Any) -> Any:
    return [{"name": entry} if isinstance(entry, str) else entry for entry in plugins] if isinstance(plugins, list) else plugins


PluginUses = Annotated[list[PluginUse] | None, BeforeValidator(_short_plugins)]
"""The plugins that serve a channel; None for all that are loaded."""


Tries = Annotated[list[Annotated[str, Field(pattern=r"^/\S", max_length=200)]], Field(max_length=3)]


class OwnLimits(StrictModel):
    """The limits that a channel can have for itself; what is left out is as the service has it."""

    queue_length: int | None = Field(default=None, ge=1)
    history_length: int | None = Field(default=None, ge=1)
    history_bytes: int | None = Field(default=None, ge=1_000)
    handled_hours: float | None = Field(default=None, gt=0)
    handled_length: int | None = Field(default=None, ge=1)
    handled_per_member: int | None = Field(default=None, ge=1)
    replies: int | None = Field(default=None, ge=1)
    reply_bytes: int | None = Field(default=None, ge=1_000)
    outbox_length: int | None = Field(default=None, ge=2)
    outbox_bytes: int | None = Field(default=None, ge=1)
    keys: int | None = Field(default=None, ge=1)
    bytes: int | None = Field(default=None, ge=1)

    def over(self, base: ChannelLimits) -> ChannelLimits:
        """These, and the base's where there are none."""
        return base.model_copy(update=self.model_dump(exclude_none=True))


class TemplateConfig(StrictModel):
    """What a channel gets that is made by this name, and who may make how many of them."""

    description: str = ""
    welcome: str = ""
    tries: Tries = Field(default_factory=list)
    access: Literal["open", "token"] = "open"
    plugins: PluginUses = None
    limits: OwnLimits = OwnLimits()
    dicts: list[dict[str, Any]] = Field(default_factory=list)
    made_by: Role = "owner"
    """The least role with which a member may make one."""
    most: int | None = Field(default=None, ge=1)
    """So many channels there may be by this template, archived ones included."""
    most_per_member: int | None = Field(default=None, ge=1)


class ChannelConfig(StrictModel):
    """One channel. A bare string in the list of channels is short for its id."""

    id: str = Field(min_length=1, max_length=200)
    name: str = ""
    description: str = ""
    welcome: str = ""
    """What a member is told who comes in for the first time."""
    tries: Tries = Field(default_factory=list)
    """Commands that the welcome offers to try."""
    access: Literal["open", "token"] = "open"
    rooms: list[RoomConfig] = Field(default_factory=list)
    template: str | None = None
    """Gives what is not said here."""
    plugins: PluginUses = None
    limits: OwnLimits = OwnLimits()
    dicts: list[dict[str, Any]] = Field(default_factory=list)
    """Entries as in the db config, for dicts that this channel has besides."""

    @field_validator("rooms", mode="before")
    @classmethod
    def _short_rooms(cls, rooms: Any) -> Any:
        return [_room_fields(entry) if isinstance(entry, str) else entry for entry in rooms] if isinstance(rooms, list) else rooms

    @field_validator("id", "name", "description", "welcome")
    @classmethod
    def _can_be_written(cls, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("holds half of a character, which cannot be written") from error
        return text

    @property
    def title(self) -> str:
        """What members read."""
        return self.name or self.id


class ChannelLimits(StrictModel):
    """What a channel may hold, waiting and kept, and how long it may take."""

    queue_length: int = Field(default=1000, ge=1)
    history_length: int = Field(default=500, ge=1)
    history_bytes: int = Field(default=20_000_000, ge=1_000)
    """The most bytes of all messages that are kept; the newest stays, whatever its size."""
    blocking_seconds: float = Field(default=1, gt=0)
    """How long the event loop may be blocked before the culprit is named in the log."""
    handler_seconds: float = Field(default=30, gt=0)
    """How long a handler, a hook or a timer may take; then it is given up."""
    handled_hours: float = Field(default=24, gt=0)
    handled_length: int = Field(default=10_000, ge=1)
    handled_per_member: int = Field(default=500, ge=1)
    schedule_tries: int = Field(default=5, ge=1)
    """How often a scheduled call that fails is tried before it is given up; it stays listed then."""
    schedule_retry_seconds: float = Field(default=10, gt=0)
    """How long it waits for its second try; twice as long for each one after that, up to an hour."""
    replies: int = Field(default=500, ge=1)
    """The most messages and updates that one event may send."""
    reply_bytes: int = Field(default=500_000, ge=1_000)
    """The most bytes of one of them, as JSON."""
    keys: int | None = Field(default=None, ge=1)
    """The most keys that all dicts of the channel may hold together."""
    bytes: int | None = Field(default=None, ge=1)
    """The most bytes of their values, in stored form."""
    outbox_length: int = Field(default=10_000, ge=2)
    """The most messages that may wait for one room or one other channel."""
    outbox_bytes: int = Field(default=20_000_000, ge=1)
    """The most bytes of what waits for one room or one other channel."""
    outbox_minutes: float = Field(default=10, gt=0)
    """How long something may wait there before it counts as a problem."""


def with_template(channel: ChannelConfig, templates: Mapping[str, TemplateConfig]) -> ChannelConfig:
    """The channel with what its template gives it; as it is without one that is known."""
    template = templates.get(channel.template or "")
    if template is None:
        return channel
    given = {name: getattr(template, name) for name in _FROM_TEMPLATE if name not in channel.model_fields_set}
    limits = OwnLimits.model_validate({**template.limits.model_dump(exclude_none=True), **channel.limits.model_dump(exclude_none=True)})
    return channel.model_copy(update={**given, "limits": limits})


def _room_fields(text: str) -> dict[str, str]:
    room = Room.parse(text)
    return {"network": room.network, "id": room.id}
