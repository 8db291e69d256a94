"""What happens in rooms of networks comes in: known by where and from whom, admitted, once, in the order of its room."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mooring.events import TEXT, Acknowledgement, ButtonClick, ClickArgument, MessageBody, MessageContent, SimpleAction, UpBody, UpEvent, UpType
from mooring.gateways.admission import Admission, AdmissionRefused, Applicant
from mooring.gateways.content_limits import CONTENT_LIMITS
from mooring.protocols import ChannelBusy, OutcomeNotKnown, Service, ServiceStopping, UnknownChannel
from mooring.roles import Role
from mooring.rooms import Room, network_member_id

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_LONGEST_ID = 500
"""What networks call users and events; Matrix takes 255 letters for it, and no network we know takes more."""


@dataclass(frozen=True)
class Said:
    """Somebody said something; `subtype` is that of a MessageBody."""

    content: MessageContent
    subtype: str = TEXT

    @classmethod
    def text(cls, text: str) -> Said:
        """A line of text, which may be a command."""
        return cls(MessageContent(text=text))


@dataclass(frozen=True)
class Clicked:
    """Somebody used a button, and entered this into its dialog if it has one."""

    button_id: str
    arguments: list[ClickArgument] = field(default_factory=list)


@dataclass(frozen=True)
class Left:
    """Somebody is in the room no more."""


@dataclass(frozen=True)
class Arrival:
    """One thing that happened in a room of a network, in the network's own words."""

    room: str
    event_id: str
    """What the network calls this event: the same id from the same user is the same event."""
    user: str
    name: str
    """What the user is called there, whatever that is; the channel calls them as near to it as can be."""
    what: Said | Clicked | Left
    at: float = 0.0
    """When it happened, in seconds since 1970."""
    mark: str = ""
    """Where to go on reading the room when this event was handled, as the network needs it. It is kept in the commit of the event."""
    role: Role | None = None
    """What the network says of the user's standing in the room; None leaves it to the channel."""

    def __post_init__(self) -> None:
        if not self.event_id or not self.user:
            raise ValueError("an arrival has the id of an event and of a user; without them it is not known from any other")


class Arrivals:
    """The receiving side of a gateway to rooms, one for each network. It admits, and sees to it that each event is handled once."""

    def __init__(self, service: Service[Any], network: str, *, members_per_channel: int = 10_000) -> None:
        self._service = service
        self._network = network
        self._admission = Admission(service, members_per_channel)
        self._in_turn: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def mark(self, room: str) -> str:
        """Where to go on reading a room: the mark of the last event of it that is committed; empty if there is none."""
        return self._service.read_mark(Room(self._network, room))

    async def receive(self, arrival: Arrival) -> Acknowledgement | None:
        """Hand in one event, and wait until it is committed; None if its room is bound to no channel, or the service stopped first.

        Events of one room are handled in the order of these calls, one after the other, so that a mark never stands before an event that was
        not handled. While the service is on its way up, the channel is busy or its storage is away, the event is tried again. What did not get
        in before the service stopped is beyond the mark, and so is read again after the start.
        """
        room = Room(self._network, arrival.room)
        if self._service.channel_of(room) is None:
            return None
        async with self._in_turn[arrival.room]:
            pause = _FIRST_PAUSE
            while (channel_id := self._service.channel_of(room)) is not None:
                try:
                    answer = await self._submit(channel_id, room, arrival)
                except UnknownChannel:
                    return None
                except (ChannelBusy, OutcomeNotKnown, ServiceStopping):
                    answer = None
                if answer is not None and answer.is_final:
                    return answer
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return None

    async def _submit(self, channel_id: str, room: Room, arrival: Arrival) -> Acknowledgement:
        """Raises ServiceError."""
        member_id = network_member_id(self._network, arrival.user)
        refusal = _too_long(arrival)
        if refusal is not None:
            return refusal
        if not isinstance(arrival.what, Left) and not self._service.was_handled(channel_id, member_id, arrival.event_id):
            # What was handled before brings nobody in who has left since.
            came_in = await self._join(channel_id, room, member_id, arrival)
            if came_in is not None and not came_in.ok:
                return came_in
        kind, body = _body(channel_id, member_id, arrival)
        return await self._service.submit(UpEvent(kind, arrival.event_id, channel_id, member_id, body, room=room, mark=arrival.mark))

    async def _join(self, channel_id: str, room: Room, member_id: str, arrival: Arrival) -> Acknowledgement | None:
        """The answer to the join; None if the channel knows all of it. Whoever bound the room has let in who is there."""
        name = self._admission.network_name(channel_id, member_id, arrival.name, self._network)
        applicant = Applicant(member_id, name, arrival.role, is_vouched_for=True)
        try:
            context = self._admission.admit(channel_id, applicant)
        except AdmissionRefused as error:
            return Acknowledgement(arrival.event_id, ok=False, message=str(error))
        if context is None:
            return None
        body = SimpleAction("join", channel_id, member_id, context)
        return await self._service.submit(UpEvent("join", f"join {arrival.event_id}", channel_id, member_id, body, room=room))


def _body(channel_id: str, member_id: str, arrival: Arrival) -> tuple[UpType, UpBody]:
    what = arrival.what
    if isinstance(what, Said):
        content = replace(what.content, text=_whole(what.content.text))
        return "message_up", MessageBody(what.subtype, channel_id, content, int(arrival.at * 1000), sender=member_id)
    if isinstance(what, Clicked):
        return "button_click", ButtonClick(what.button_id, channel_id, member_id, what.arguments or None)
    return "leave", SimpleAction("leave", channel_id, member_id)


def _too_long(arrival: Arrival) -> Acknowledgement | None:
    """The refusal of what holds more than an event may, whatever network it comes from."""
    is_too_long = any(len(text) > longest for text, longest in _texts(arrival))
    if isinstance(arrival.what, Clicked):
        is_too_long = is_too_long or len(arrival.what.arguments) > CONTENT_LIMITS.arguments
    return Acknowledgement(arrival.event_id, ok=False, message="This is longer than a message can be here.") if is_too_long else None


def _texts(arrival: Arrival) -> Iterator[tuple[str, int]]:
    """All texts of an arrival that are kept, and how long each may be."""
    limits, what = CONTENT_LIMITS, arrival.what
    yield from ((arrival.user, _LONGEST_ID), (arrival.event_id, _LONGEST_ID))
    if isinstance(what, Said):
        yield from ((getattr(what.content, name) or "", getattr(limits, name)) for name in ("text", "link", "path", "title", "filename", "button"))
    elif isinstance(what, Clicked):
        yield what.button_id, limits.identifier
        for each in what.arguments:
            yield from ((each.label, limits.label), (each.value, limits.text))


def _whole(text: str | None) -> str | None:
    """The text without halves of letters, which some networks let through and no storage takes."""
    return text and text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
