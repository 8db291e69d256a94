"""The part of a config that says what a channel is: the models that a config file and the channels made at run time share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mooring.rooms import Room, WhenUnsure, checked_network


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


class ChannelConfig(StrictModel):
    """One channel. A bare string in the list of channels is short for its id."""

    id: str = Field(min_length=1, max_length=200)
    name: str = ""
    description: str = ""
    welcome: str = ""
    """What a member is told who comes in for the first time."""
    access: Literal["open", "token"] = "open"
    rooms: list[RoomConfig] = Field(default_factory=list)

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


def _room_fields(text: str) -> dict[str, str]:
    room = Room.parse(text)
    return {"network": room.network, "id": room.id}
