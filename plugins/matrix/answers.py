"""What a homeserver answers, as plain data."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from mooring.plugins.matrix.troubles import Away

Event = dict[str, Any]
"""One event of a room, as the homeserver has it. What people wrote in it can be anything."""
Facts = dict[str, Any]
"""An answer of which only one field is of use, or none."""

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What reading JSON raises that is none, or too deep."""

T = TypeVar("T")


class Timeline(Struct):
    """What happened in a room; if `limited` there is more before it."""

    events: list[Event] = []
    limited: bool = False


class State(Struct):
    """Facts about a room; here about those who said something."""

    events: list[Event] = []


class JoinedRoom(Struct):
    """News of a room in which the bot is."""

    timeline: Timeline = field(default_factory=Timeline)
    state: State = field(default_factory=State)


class SyncedRooms(Struct):
    """News of rooms, by what the bot is to them."""

    join: dict[str, JoinedRoom] = {}
    invite: dict[str, Any] = {}
    leave: dict[str, Any] = {}


class Synced(Struct):
    """All that happened since a token, up to the token `next_batch`."""

    next_batch: str
    rooms: SyncedRooms = field(default_factory=SyncedRooms)


class Page(Struct):
    """Some of what happened in a room; without `end` there is no more."""

    chunk: list[Event]
    end: str | None = None
    state: list[Event] = []


class Id(Struct):
    """The id of an event."""

    event_id: str


class Account(Struct):
    """Whose token it is."""

    user_id: str


class RoomIds(Struct):
    """The rooms in which the bot is."""

    joined_rooms: list[str]


class Context(Struct):
    """The tokens around an event."""

    start: str = ""
    end: str = ""


class Profile(Struct):
    """What somebody is called in a room."""

    displayname: str | None = None


class Made(Struct):
    """The room that was made or entered."""

    room_id: str = ""


class Error(Struct):
    """Why it was not done."""

    errcode: str = "M_UNKNOWN"
    error: str = ""
    retry_after_ms: float | None = None


def decoded(body: bytes, answer: type[T]) -> T:
    """What the homeserver answered, also with halves of letters and numbers beyond all bounds in it, which people may have written. Raises Away."""
    try:
        return msgspec.json.decode(body, type=answer)
    except _UNREADABLE:
        pass
    try:
        return msgspec.convert(json.loads(body), answer)
    except _UNREADABLE as error:
        raise Away(f"what it answers is not understood: {error}", may_be_done=True) from error
