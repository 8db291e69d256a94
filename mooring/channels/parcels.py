"""What of an event's messages goes to the rooms that the channel is bound to."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from mooring.channels.outbox_entries import Parcel
from mooring.channels.records import message_record
from mooring.events import Down, MessageBody, UpEvent
from mooring.kinds import MESSAGE_DOWN
from mooring.rooms import Room


def parcels_for_rooms(downs: Sequence[Down], rooms: Sequence[Room], event: UpEvent | None, name_of: Callable[[str], str]) -> list[Parcel]:
    """One parcel for each message that goes to a room. `name_of` a sender is kept with it, who may have left when it is sent."""
    if not rooms:
        return []
    parcels = []
    for down in downs:
        if down.type == MESSAGE_DOWN and (goes_to := [room for room in rooms if _goes_to(room, down, event)]):
            parcels.append(Parcel(goes_to, _content(down, event, name_of), f"{random.getrandbits(64):016x}", down.body.message_id or ""))
    return parcels


def _content(down: Down, event: UpEvent | None, name_of: Callable[[str], str]) -> dict[str, Any]:
    content = message_record(down)
    if down.body.sender:
        content["name"] = name_of(down.body.sender)
    if event is not None and event.room is not None:
        content["in"] = str(event.room)
    return content


def _goes_to(room: Room, down: Down, event: UpEvent | None) -> bool:
    if down.recipients is not None:
        return any(member_id.startswith(f"{room.network}:") for member_id in down.recipients)
    return event is None or room != event.room or not _is_what_came(down.body, event)


def _is_what_came(body: MessageBody, event: UpEvent) -> bool:
    """Whether this is the member's own message on its way to the others, which the room that it came from has already."""
    return isinstance(event.body, MessageBody) and body.sender == event.member_id and body.content == event.body.content
