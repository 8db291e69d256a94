"""The gateway to Matrix as the service knows it."""

from __future__ import annotations

from collections.abc import Sequence

from mooring import Abilities, Answer, Down, Later, Post, Refused, Room, Sent, Service, Unsure
from mooring.plugins.matrix.config import NETWORK, Config
from mooring.plugins.matrix.direct import DirectRooms
from mooring.plugins.matrix.homeserver import Homeserver
from mooring.plugins.matrix.panels import BUTTONS
from mooring.plugins.matrix.posting import LONGEST, content_of, has_key
from mooring.plugins.matrix.reading import Reading
from mooring.plugins.matrix.status import Status
from mooring.plugins.matrix.troubles import Away, Limited, Refusal, TokenRefused, Trouble

_NOT_IN_SECONDS = 60.0
_PREFIX = f"{NETWORK}:"


class MatrixGateway:
    """Sends to rooms of one homeserver with one account; `reading` is the other direction."""

    network = NETWORK
    address = ""
    kinds = frozenset({BUTTONS})
    """What it shows besides messages."""

    def __init__(self, service: Service, config: Config) -> None:
        self._service = service
        self._config = config
        self._homeserver = Homeserver(config.homeserver, config.user)
        self._direct = DirectRooms(self._homeserver)
        self._status = Status(config.homeserver)
        self.reading = Reading(service, config, self._homeserver, self._status)

    @property
    def problem(self) -> str:
        """What keeps it from its work, in words; empty if nothing does."""
        return self._status.problem

    def stop_accepting(self) -> None:
        self.reading.is_accepting = False

    async def close(self) -> None:
        """End all connections."""
        self.reading.end()
        await self._homeserver.close()

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        for room in self._service.rooms(channel_id):
            if room.network == NETWORK and self.reading.is_in(room.id):
                self.reading.panels.changed(room.id)

    def abilities(self, room: str) -> Abilities:
        # Homeservers remember keys, but not all of them over a restart: what may be there is looked for, and sent with its key.
        return Abilities(find=True, edit=True, delete=True, private=self._config.private_answers, longest_text=LONGEST, text_unit="bytes")

    async def send(self, room: str, post: Post, key: str) -> Answer:
        if not self._status.has_token or not self._homeserver.token:
            return Later(reason=self._status.problem or "the homeserver was not asked yet")
        if not self.reading.is_in(room):
            return Later(_NOT_IN_SECONDS, f"{self._config.user} is not in the room; invite it")
        try:
            if post.users is not None:
                return Sent(await self._send_direct(room, post, key))
            if post.kind == "delete":
                return Sent(await self._homeserver.redact(room, post.earlier, key))
            return Sent(await self._homeserver.send(room, content_of(post, key, lambda name: self._mentioned(room, name)), key))
        except Trouble as error:
            return _answer(error)

    async def _send_direct(self, room: str, post: Post, key: str) -> str:
        """What is for single members; of several rooms of a channel only the first has to see to it. Raises Trouble."""
        channel_id = self._service.channel_of(Room(NETWORK, room))
        rooms = [] if channel_id is None else [each.id for each in self._service.rooms(channel_id) if each.network == NETWORK]
        if rooms and rooms[0] != room:
            return ""
        if post.kind == "message":
            return await self._direct.send(post, key, post.users or ())
        if post.kind == "edit":
            await self._direct.edit(post, key, post.earlier)
        else:
            await self._direct.delete(key, post.earlier)
        return post.earlier

    async def find(self, room: str, key: str) -> str | Later | None:
        # What is sent is sent in order, so that what may have arrived is among the newest. What was said to single members is not found, and
        # is sent again with its key.
        try:
            own = await self._homeserver.own_newest(room, "m.room.message")
        except Trouble as error:
            return Later(error.seconds, str(error))
        return next((event["event_id"] for event in own if has_key(event, key)), None)

    def _mentioned(self, room: str, name: str) -> str | None:
        """The user of Matrix who is called so in the room's channel."""
        channel_id = self._service.channel_of(Room(NETWORK, room))
        owner = self._service.member_names(channel_id).owner(name) if channel_id is not None else None
        return owner.removeprefix(_PREFIX) if owner is not None and owner.startswith(_PREFIX) else None


def _answer(error: Trouble) -> Answer:
    reason = str(error)
    if isinstance(error, Away) and error.may_be_done:
        return Unsure(reason, error.seconds)
    if isinstance(error, Away | Limited | TokenRefused):
        return Later(error.seconds, reason)
    return Refused(reason) if isinstance(error, Refusal) else Unsure(reason)
