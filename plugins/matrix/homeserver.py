"""Requests to the homeserver, each one try over matrix-nio's connection, and what comes back as plain data.

The responses of nio are not used: they drop what they do not understand, and sleep and log where the framework has to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from mooring import PluginError
from mooring.plugins.matrix.answers import Account, Context, Error, Event, Facts, Id, Made, Page, Profile, RoomIds, Synced, decoded
from mooring.plugins.matrix.troubles import Away, Limited, Refusal, TokenRefused

try:
    from aiohttp import ClientConnectorError, ClientError, ClientTimeout
    from nio import Api, AsyncClient, AsyncClientConfig, RoomPreset
except ModuleNotFoundError as error:
    raise PluginError("it needs matrix-nio, which is not there: pip install 'mooring[matrix]'") from error

SECONDS = 30.0
"""For how long an answer is waited for."""
POLL_SECONDS = 30.0
"""For how long the homeserver may wait for something to happen until it answers a sync."""
PAGE = 100
_LONGEST_REASON = 300
_TOKEN_IN_ADDRESS = re.compile(r"([?&])access_token=(?:&|$)")
_KINDS = ["m.room.message", "m.room.member"]
_NOTHING: dict[str, list[str]] = {"types": []}
SYNC_FILTER: dict[str, Any] = {
    "presence": _NOTHING,
    "account_data": _NOTHING,
    "room": {
        "timeline": {"limit": PAGE, "types": _KINDS, "lazy_load_members": True},
        "state": {"types": ["m.room.member"], "lazy_load_members": True},
        "ephemeral": _NOTHING,
        "account_data": _NOTHING,
    },
}
FIRST_SYNC_FILTER: dict[str, Any] = {**SYNC_FILTER, "room": {**SYNC_FILTER["room"], "timeline": {**SYNC_FILTER["room"]["timeline"], "limit": 1}}}
"""What was said before is read room by room."""


T = TypeVar("T")
_Request = tuple[str, str] | tuple[str, str, str]


class Homeserver:
    """One account on a homeserver. All methods raise Trouble."""

    def __init__(self, address: str, user: str) -> None:
        self.user = user
        self.token = ""
        self._client = AsyncClient(address, user, config=AsyncClientConfig(encryption_enabled=False))

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    async def account(self) -> str:
        """Whose token it is."""
        return (await self._ask(Api.whoami(""), Account)).user_id

    async def joined_rooms(self) -> Sequence[str]:
        """The rooms in which the bot is."""
        return (await self._ask(Api.joined_rooms(""), RoomIds)).joined_rooms

    async def join(self, room: str) -> None:
        """Enter a room, which may need an invitation."""
        await self._ask(Api.join("", room), Made)

    async def sync(self, since: str) -> Synced:
        """Wait for news. Without `since` there is an answer at once, for its token's sake."""
        seconds = POLL_SECONDS if since else 0
        asked = Api.sync("", since or None, int(seconds * 1000), SYNC_FILTER if since else FIRST_SYNC_FILTER)
        return await self._ask(asked, Synced, seconds + SECONDS)

    async def page(self, room: str, start: str, end: str = "") -> Page:
        """What happened in a room after a token, the oldest first."""
        asked = Api.room_messages("", room, start, end or None, "f", PAGE, {"types": _KINDS, "lazy_load_members": True})
        return await self._ask(asked, Page)

    async def own_newest(self, room: str, kind: str, before: str = "") -> Sequence[Event]:
        """The newest events of a kind that the bot sent, perhaps before a token, the newest first."""
        asked = Api.room_messages("", room, before or None, None, "b", PAGE, {"types": [kind], "senders": [self.user]})
        return (await self._ask(asked, Page)).chunk

    async def tokens_around(self, room: str, event_id: str) -> tuple[str, str]:
        """The tokens just before and just after an event."""
        path = f"/_matrix/client/v3/rooms/{quote(room, safe='')}/context/{quote(event_id, safe='')}?limit=0"
        found = await self._ask(("GET", path), Context)
        return found.start, found.end

    async def first_since(self, room: str, at: float) -> str:
        """The first event of a room at a time, in seconds since 1970, or later."""
        path = f"/_matrix/client/v1/rooms/{quote(room, safe='')}/timestamp_to_event?dir=f&ts={int(at * 1000)}"
        return (await self._ask(("GET", path), Id)).event_id

    async def name_of(self, room: str, user: str) -> str:
        """What somebody is called in a room; empty if they have no name there."""
        return (await self._ask(Api.room_get_state_event("", room, "m.room.member", user), Profile)).displayname or ""

    async def is_encrypted(self, room: str) -> bool:
        """Whether what is said in a room cannot be read."""
        try:
            await self._ask(Api.room_get_state_event("", room, "m.room.encryption"), Facts)
        except Refusal:
            return False
        return True

    async def make_direct_room(self, user: str) -> str:
        """A new room for the bot and somebody else, who is invited."""
        asked = Api.room_create("", is_direct=True, preset=RoomPreset.trusted_private_chat, invite=(user,))
        return (await self._ask(asked, Made)).room_id

    async def invite(self, room: str, user: str) -> None:
        """Invite somebody; one who is there already is not invited, which is a Refusal."""
        await self._ask(Api.room_invite("", room, user), Facts)

    async def noted(self, name: str) -> Facts:
        """What was noted for the bot under a name; nothing if there is none."""
        try:
            return await self._ask(("GET", self._note_path(name)), Facts)
        except Refusal:
            return {}

    async def note(self, name: str, facts: Facts) -> None:
        """Note something for the bot, kept by the homeserver."""
        await self._ask(("PUT", self._note_path(name), msgspec.json.encode(facts).decode()), Facts)

    def _note_path(self, name: str) -> str:
        return f"/_matrix/client/v3/user/{quote(self.user, safe='')}/account_data/{quote(name, safe='')}"

    async def send(self, room: str, content: Mapping[str, Any], key: str) -> str:
        """Say something, once for each key, and return the id of the event."""
        return (await self._ask(Api.room_send("", room, "m.room.message", dict(content), key), Id)).event_id

    async def redact(self, room: str, event_id: str, key: str) -> str:
        """Take back something that was said, once for each key, and return the id of the event that does."""
        return (await self._ask(Api.room_redact("", room, event_id, key), Id)).event_id

    async def _ask(self, request: _Request, answer: type[T], seconds: float = SECONDS) -> T:
        status, body = await self._send(request, seconds)
        if status != 200:
            raise _trouble(status, body)
        return decoded(body, answer)

    async def _send(self, request: _Request, seconds: float) -> tuple[int, bytes]:
        method, path, *data = request
        # nio puts the token into addresses, which end up in the logs of proxies.
        path = _TOKEN_IN_ADDRESS.sub(r"\1", path).rstrip("?&")
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            answer = await self._client.send(method, path, data[0] if data else None, headers, timeout=ClientTimeout(seconds))
            return answer.status, await answer.read()
        except ClientConnectorError as error:
            raise Away(f"it cannot be reached: {error}", may_be_done=False) from error
        except (ClientError, OSError) as error:  # a timeout is one of the second kind
            raise Away(f"the connection broke: {type(error).__name__}", may_be_done=True) from error


def _trouble(status: int, body: bytes) -> Away | Limited | TokenRefused | Refusal:
    try:
        told = decoded(body, Error)
    except Away:
        told = Error()
    reason = told.error[:_LONGEST_REASON]
    seconds = max(0.0, told.retry_after_ms or 0.0) / 1000
    if status == 429 or told.errcode == "M_LIMIT_EXCEEDED":
        return Limited("it was asked too often", seconds or 5.0)
    if told.errcode in {"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"} or status == 401:
        return TokenRefused(f"the access token is refused ({told.errcode})")
    if 400 <= status < 500 and status != 408:
        return Refusal(told.errcode, reason or f"it answered {status}")
    return Away(f"it answered {status} {reason}".rstrip(), may_be_done=True, seconds=seconds)
