"""How one entry of an outbox gets to a room: through the gateway of the room's network."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from mooring.channels.records import body_of
from mooring.events import TEXT, MessageBody, MessageContent
from mooring.gateways.marks import Marks
from mooring.posts import Abilities, Answer, Later, Post, Refused, Sent
from mooring.protocols import NetworkGateway
from mooring.rooms import Room, users_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Letter:
    """An entry as it is sent to one room."""

    number: int
    key: str
    at: float
    """When it was committed, in seconds since 1970."""
    content: dict[str, Any]
    message_id: str = ""

    def key_in(self, room: Room) -> str:
        """The key of this letter in a network: 24 hex digits, as many as the strictest network takes."""
        return hashlib.sha256(f"{self.key}\n{room}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


class Carrier(Protocol):
    """Brings letters to one room."""

    tells_gaps: bool
    """Whether the room is told how many messages had to give way."""

    def abilities(self) -> Abilities | None:
        """What can be done in the room; None while there is no way to it."""

    async def carry(self, letter: Letter) -> Answer:
        """Bring it there."""

    async def find(self, letter: Letter) -> str | Later | None:
        """What it is called there, None if it is not there."""


class GatewayCarrier:
    """Brings letters to a room of a network."""

    tells_gaps = True

    def __init__(self, channel_id: str, room: Room, marks: Marks, gateway: Callable[[], NetworkGateway | None]) -> None:
        self._channel_id = channel_id
        self._room = room
        self._marks = marks
        self._gateway = gateway

    def abilities(self) -> Abilities | None:
        gateway = self._gateway()
        try:
            return None if gateway is None else gateway.abilities(self._room.id)
        except Exception:
            log.exception("the gateway of %s does not say what can be done there, so nothing is sent", self._room)
            return None

    async def carry(self, letter: Letter) -> Answer:
        gateway = self._gateway()
        if gateway is None:
            return Later(reason="its network has no gateway")
        try:
            post = self._post(letter, gateway.abilities(self._room.id))
        except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            return Refused(f"what is kept of it is not readable: {error}")
        return await gateway.send(self._room.id, post, letter.key_in(self._room)) if isinstance(post, Post) else post

    async def find(self, letter: Letter) -> str | Later | None:
        gateway = self._gateway()
        return Later() if gateway is None else await gateway.find(self._room.id, letter.key_in(self._room))

    def _post(self, letter: Letter, abilities: Abilities) -> Post | Answer:
        content = letter.content
        body = body_of(content)
        to = content["to"]
        users = None if to is None else users_of(self._room.network, to)
        if users is not None and not abilities.private:
            return Refused("it is private, and the room shows everything to all")
        earlier = self._marks.network_id(self._room, letter.message_id)
        answered = content["by"][2] or content["by"][0] if content.get("in") == str(self._room) and "by" in content else ""
        sender = content.get("name", "")
        if (body.context or {}).get("deleted"):
            if not earlier:
                return Sent()  # what never got there need not be taken back
            return Post("delete", body, sender, earlier, users=users) if abilities.delete else Refused("the room cannot delete messages")
        if earlier and abilities.edit:
            return Post("edit", body, sender, earlier, answered, users)
        return Post("message", body, sender, reply_to=earlier or answered, users=users)


def undelivered_letter(channel_id: str, count: int, before: Letter) -> Letter:
    """What takes the place of so many messages that had to give way, before the first that did not."""
    text = f"{count} messages were not delivered." if count > 1 else "1 message was not delivered."
    body = MessageBody(TEXT, channel_id, MessageContent(text=text), int(before.at * 1000), [], context={"notice": "undelivered", "count": count})
    return Letter(before.number - 1, f"undelivered before {before.key}", before.at, {"to": None, "body": msgspec.to_builtins(body)})
