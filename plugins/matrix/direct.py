"""What is for single members: said to each in a room that they share with the bot alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from mooring import Post
from mooring.plugins.matrix.homeserver import Homeserver
from mooring.plugins.matrix.posting import content_of
from mooring.plugins.matrix.troubles import Refusal

_NOTE = "org.mooring.direct."
_MOST = 10_000


class DirectRooms:
    """Remembers on the homeserver which room is whose, so that nobody is invited into a new one after each start."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver
        self._rooms: OrderedDict[str, str] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def send(self, post: Post, key: str, users: Iterable[str]) -> str:
        """Say something to each of some users. What is returned names all of it: each message by its room and event. Raises Trouble."""
        sent, post = [], replace(post, reply_to="")  # which is in another room
        for user in sorted(users):
            room, own_key = await self._room_of(user), _key(key, user)
            sent += [room, await self._homeserver.send(room, content_of(post, own_key, _nobody), own_key)]
        return " ".join(sent)

    async def edit(self, post: Post, key: str, earlier: str) -> None:
        """Change what `send` named. Raises Trouble."""
        for room, event_id in _named(earlier):
            own_key = _key(key, event_id)
            await self._homeserver.send(room, content_of(replace(post, earlier=event_id), own_key, _nobody), own_key)

    async def delete(self, key: str, earlier: str) -> None:
        """Take back what `send` named. Raises Trouble."""
        for room, event_id in _named(earlier):
            await self._homeserver.redact(room, event_id, _key(key, event_id))

    async def _room_of(self, user: str) -> str:
        async with self._one_at_a_time:
            if user not in self._rooms:
                self._rooms[user] = await self._found(user) or await self._made(user)
                if len(self._rooms) > _MOST:
                    self._rooms.popitem(last=False)
            self._rooms.move_to_end(user)
            return self._rooms[user]

    async def _found(self, user: str) -> str:
        """The room that they have already; who left it is invited again. Empty if there is none, or the bot is not in it any more."""
        room = str((await self._homeserver.noted(f"{_NOTE}{user}")).get("room", ""))
        if not room or room not in await self._homeserver.joined_rooms():
            return ""
        with suppress(Refusal):  # they are in it
            await self._homeserver.invite(room, user)
        return room

    async def _made(self, user: str) -> str:
        room = await self._homeserver.make_direct_room(user)
        await self._homeserver.note(f"{_NOTE}{user}", {"room": room})
        return room


def _named(names: str) -> Iterable[tuple[str, str]]:
    words = names.split(" ")
    return zip(words[::2], words[1::2], strict=False)


def _key(key: str, whose: str) -> str:
    return hashlib.sha256(f"{key}\n{whose}".encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _nobody(name: str) -> None:
    """Who else is in the channel is no user of such a room."""
