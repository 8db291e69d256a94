"""A stand-in for Discord, as far as a bot of one command needs it, in the shapes that Discord documents (API v10).

REST: the bot's user, its application, messages posted to a channel. Gateway: HELLO, IDENTIFY, READY, GUILD_CREATE, MESSAGE_CREATE and heartbeats,
compressed with zlib-stream where the client asks for it. https://discord.com/developers/docs is the reference.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from benchmarks.bots_counting import Gone
from benchmarks.bots_processes import ChildBot

HEARTBEAT_MS = 10_000
BOT, GUILD, CHANNEL, OWNER, FIRST_MEMBER, FIRST_MESSAGE = "100", "200", "300", "400", 500, 10_000
NOW = datetime.now(UTC).isoformat()


def user(user_id: str, name: str, *, bot: bool = False) -> dict[str, Any]:
    return {"id": user_id, "username": name, "global_name": name, "discriminator": "0", "avatar": None, "bot": bot, "flags": 0}


GUILD_CREATE = {
    "id": GUILD,
    "name": "tavern",
    "owner_id": OWNER,
    "unavailable": False,
    "joined_at": NOW,
    "large": False,
    "member_count": 9,
    "members": [{"user": user(BOT, "counter", bot=True), "roles": [], "joined_at": NOW, "deaf": False, "mute": False, "flags": 0}],
    "channels": [{"id": CHANNEL, "type": 0, "name": "general", "position": 0, "permission_overwrites": [], "nsfw": False}],
    "roles": [{"id": GUILD, "name": "@everyone", "permissions": "3072", "position": 0, "color": 0, "hoist": False, "managed": False}],
    "emojis": [],
    "features": [],
    "presences": [],
    "threads": [],
    "voice_states": [],
    "stage_instances": [],
    "guild_scheduled_events": [],
}
for _setting in ("afk_timeout", "verification_level", "default_message_notifications", "explicit_content_filter", "mfa_level", "nsfw_level"):
    GUILD_CREATE[_setting] = 0
GUILD_CREATE |= {"premium_tier": 0, "system_channel_flags": 0, "preferred_locale": "en-US", "premium_progress_bar_enabled": False}


class DiscordBot(ChildBot):
    """A discord.py bot, and the server that it takes for Discord."""

    async def start(self) -> None:
        self._ready = asyncio.Event()
        self._socket: Any = None
        self._sequence = itertools.count(1)
        if not hasattr(self, "_ids"):
            self._ids: dict[str, str] = {}
            self._posted = itertools.count(10**6)
            await self._serve()
        await self.launch(["-m", "benchmarks.bots_children", "discord", *self._arguments, self._address])
        await self.until(self._ready.wait())

    async def _serve(self) -> None:
        web = importlib.import_module("aiohttp.web")  # discord.py brings it along; Mooring does not need it
        app = web.Application()
        app.router.add_get("/api/v10/users/@me", self._me)
        app.router.add_get("/api/v10/oauth2/applications/@me", self._application)
        app.router.add_post(f"/api/v10/channels/{CHANNEL}/messages", self._post)
        app.router.add_get("/", self._gateway)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._address = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def _me(self, _: Any) -> Any:
        return _json(user(BOT, "counter", bot=True))

    async def _application(self, _: Any) -> Any:
        owner = user(OWNER, "owner")
        settings = {"bot_public": True, "bot_require_code_grant": False, "verify_key": "", "flags": 0}
        return _json({"id": BOT, "name": "counter", "icon": None, "description": "", "owner": owner, "team": None, **settings})

    async def _post(self, request: Any) -> Any:
        content = (await request.json())["content"]
        self.take(content)
        return _json(_message(str(next(self._posted)), user(BOT, "counter", bot=True), content))

    async def _gateway(self, request: Any) -> Any:
        web = importlib.import_module("aiohttp.web")
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self._squeeze = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        self._socket = socket
        await self._send({"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MS}})
        async for frame in socket:
            payload = json.loads(frame.data)
            if payload["op"] == 1:
                await self._send({"op": 11})
            elif payload["op"] == 2:
                me = user(BOT, "counter", bot=True)
                guilds = [{"id": GUILD, "unavailable": True}]
                resume = {"session_id": "session", "resume_gateway_url": f"ws://{self._address}/"}
                await self._dispatch("READY", {"v": 10, "user": me, "guilds": guilds, "application": {"id": BOT, "flags": 0}, **resume})
                await self._dispatch("GUILD_CREATE", GUILD_CREATE)
                self._ready.set()
        self.fail(Gone())
        return socket

    async def _dispatch(self, name: str, data: dict[str, Any]) -> None:
        await self._send({"op": 0, "t": name, "s": next(self._sequence), "d": data})

    async def _send(self, payload: dict[str, Any]) -> None:
        text = json.dumps(payload)
        try:
            if self._squeeze is None:
                await self._socket.send_str(text)
            else:
                await self._socket.send_bytes(self._squeeze.compress(text.encode()) + self._squeeze.flush(zlib.Z_SYNC_FLUSH))
        except ConnectionError:
            raise Gone from None

    def say(self, member: str, command_id: str, by: int, times: int) -> AsyncIterator[int | None]:
        """One message, dispatched so many times under one id."""
        message_id = self._ids.setdefault(command_id, str(FIRST_MESSAGE + len(self._ids)))
        person = {"roles": [], "joined_at": NOW, "deaf": False, "mute": False, "flags": 0}
        author = user(str(FIRST_MEMBER + int(member[1:])), member)
        message = {**_message(message_id, author, f"/count {by}"), "guild_id": GUILD, "member": person, "nonce": command_id}
        return self.answers(member, lambda: self._dispatch("MESSAGE_CREATE", message), times)


def _message(message_id: str, author: dict[str, Any], content: str) -> dict[str, Any]:
    lists: dict[str, Any] = {name: [] for name in ("mentions", "mention_roles", "attachments", "embeds", "components")}
    flags = {"tts": False, "mention_everyone": False, "pinned": False, "type": 0, "flags": 0, "edited_timestamp": None}
    return {"id": message_id, "channel_id": CHANNEL, "author": author, "content": content, "timestamp": NOW, **lists, **flags}


def _json(data: Any) -> Any:
    # As Discord does, without a charset: discord.py compares the whole header.
    return importlib.import_module("aiohttp.web").Response(body=json.dumps(data).encode(), content_type="application/json")
