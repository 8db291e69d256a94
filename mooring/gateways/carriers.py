"""How one entry of an outbox gets to a room: through the gateway of the room's network."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Protocol

import msgspec

from mooring.channels.records import body_of
from mooring.events import TEXT, MessageBody, MessageContent
from mooring.gateways.marks import Marks
from mooring.gateways.rendering import ELLIPSIS, clipped, split, text_of
from mooring.posts import Abilities, Answer, Later, Post, Refused, Sent, Unsure
from mooring.protocols import NetworkGateway
from mooring.rooms import Room, users_of

log = logging.getLogger(__name__)

_UNREADABLE = (msgspec.ValidationError, KeyError, TypeError, ValueError)
"""What reading an entry raises that is none."""


@dataclass(frozen=True)
class Letter:
    """An entry as it is sent to one room."""

    number: int
    key: str
    at: float
    """When it was committed, in seconds since 1970."""
    content: dict[str, Any]
    message_id: str = ""

    def key_in(self, room: Room, piece: int = 0) -> str:
        """The key of this letter, or of a further piece of it, in a network: 24 hex digits, as many as the strictest network takes."""
        key = f"{self.key}\n{room}" + (f"\n{piece}" if piece else "")
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]


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
        self._begun = ""
        """The key of the letter of which some pieces are there."""
        self._there: list[str] = []
        """What these are called. Another process, or this one after a restart, finds out by their keys."""

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
        abilities = gateway.abilities(self._room.id)
        try:
            posts = self._posts(letter, abilities)
        except _UNREADABLE as error:
            return Refused(f"what is kept of it is not readable: {error}")
        if not isinstance(posts, list):
            return posts
        if len(posts) == 1:
            return await gateway.send(self._room.id, posts[0], letter.key_in(self._room))
        return await self._carry_all(gateway, posts, letter, looks_back=abilities.find)

    async def find(self, letter: Letter) -> str | Later | None:
        gateway = self._gateway()
        if gateway is None:
            return Later()
        count = self._count(letter, gateway.abilities(self._room.id))
        found = [await gateway.find(self._room.id, letter.key_in(self._room, piece)) for piece in range(count)]
        ids = [each for each in found if isinstance(each, str)]
        return joined(ids) if len(ids) == len(found) else next((each for each in found if isinstance(each, Later)), None)

    async def _carry_all(self, gateway: NetworkGateway, posts: Sequence[Post], letter: Letter, *, looks_back: bool) -> Answer:
        """Bring what takes several messages, and go on where an earlier try ended."""
        if self._begun != letter.key:
            self._begun, self._there = letter.key, []
        ids = self._there
        for number, post in enumerate(posts[len(ids) :], len(ids)):
            key = letter.key_in(self._room, number)
            found = await gateway.find(self._room.id, key) if looks_back and post.kind == "message" else None
            answer = Sent(found) if isinstance(found, str) else found or await gateway.send(self._room.id, post, key)
            if isinstance(answer, Later) and number:
                # Of what is there in part nobody can say that it was not taken.
                return Unsure(f"{number} of {len(posts)} parts are there: {answer.reason}", answer.seconds)
            if not isinstance(answer, Sent):
                return answer
            ids.append(answer.id)
        return Sent(joined(ids))

    def _count(self, letter: Letter, abilities: Abilities) -> int:
        """Of how many messages it is made there."""
        try:
            posts = self._posts(letter, abilities)
        except _UNREADABLE:
            return 1
        return len(posts) if isinstance(posts, list) else 1

    def _posts(self, letter: Letter, abilities: Abilities) -> list[Post] | Answer:
        content = letter.content
        body = body_of(content)
        to = content["to"]
        users = None if to is None else users_of(self._room.network, to)
        if users is not None and not abilities.private:
            return Refused("it is private, and the room shows everything to all")
        earlier = self._marks.network_id(self._room, letter.message_id).split("\n")
        answered = content["by"][2] or content["by"][0] if content.get("in") == str(self._room) and "by" in content else ""
        post = Post("message", body, content.get("name", ""), reply_to=earlier[0] or answered, users=users)
        if (body.context or {}).get("deleted"):
            if not earlier[0]:
                return Sent()  # what never got there need not be taken back
            deletes = [replace(post, kind="delete", earlier=each, reply_to="") for each in earlier]
            return deletes if abilities.delete else Refused("the room cannot delete messages")
        pieces = split(text_of(body), abilities.longest_text, abilities.text_unit)
        if earlier[0] and abilities.edit:
            return _edits(replace(post, reply_to=answered), earlier, pieces, abilities)
        return [replace(post, text=piece) for piece in pieces]


def joined(ids: Sequence[str]) -> str:
    """What a network calls the several messages that are one here, to be kept as one."""
    return "\n".join(ids)


def _edits(post: Post, earlier: Sequence[str], pieces: Sequence[str], abilities: Abilities) -> list[Post]:
    """What changes messages that are there into these pieces. No message can come in between, so what is too much for them is cut off.

    Those that are not needed stay, with as good as nothing in them: a later edit may need them again.
    """
    shown = list(pieces[: len(earlier)])
    if len(pieces) > len(earlier):
        shown[-1] = clipped("\n".join(pieces[len(earlier) - 1 :]), abilities.longest_text, abilities.text_unit)
    return [replace(post, kind="edit", earlier=each, text=text) for each, text in zip_longest(earlier, shown, fillvalue=ELLIPSIS)]


def undelivered_letter(channel_id: str, count: int, before: Letter) -> Letter:
    """What takes the place of so many messages that had to give way, before the first that did not."""
    text = f"{count} messages were not delivered." if count > 1 else "1 message was not delivered."
    body = MessageBody(TEXT, channel_id, MessageContent(text=text), int(before.at * 1000), [], context={"notice": "undelivered", "count": count})
    return Letter(before.number - 1, f"undelivered before {before.key}", before.at, {"to": None, "body": msgspec.to_builtins(body)})
