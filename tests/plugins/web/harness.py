"""A real service with its real gateway in this process, and clients that speak frames to it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from mooring import ChannelService
from tests.service_for_tests import running

PLUGINS = str(Path(__file__).parent / "plugins")


class Client:
    """One connection; every frame that came is in `frames`, in order."""

    _numbers = itertools.count(1)

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}

    def next_id(self) -> str:
        return f"request-{next(self._numbers)}"

    async def send(self, kind: str, body: dict[str, Any] | None = None, request: str | None = None) -> str:
        request = request or self.next_id()
        await self.socket.send(json.dumps({"type": kind, "request_id": request, "body": body or {}}))
        return request

    async def next(self, seconds: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def answer(self, request: str | None) -> dict[str, Any]:
        """The ack, welcome, pong, error or history page for a request; with None, an error about no request in particular."""
        while True:
            frame = await self.next()
            if frame.get("request_id") == request and frame["type"] in {"ack", "welcome", "pong", "error", "character_page"}:
                return frame

    async def wait_for(self, kind: str) -> dict[str, Any]:
        """The next frame of this type that has no request."""
        while (frame := await self.next())["type"] != kind:
            """What comes in between is in `frames`."""
        return frame

    async def ask(self, kind: str, body: dict[str, Any] | None = None, request: str | None = None) -> dict[str, Any]:
        return await self.answer(await self.send(kind, body, request))

    async def hello(self, **who: str) -> dict[str, Any]:
        answer = await self.ask("hello", who)
        if answer["type"] == "welcome":
            self.welcome = answer["body"]
        return answer

    async def hello_until_welcome(self, name: str) -> None:
        """Say hello again and again: what frees a name is noticed a moment later."""
        while (await self.hello(name=name))["type"] != "welcome":
            await asyncio.sleep(0.1)

    async def join(self, channel: str = "tavern", **body: Any) -> dict[str, Any]:
        """Join, and give the history that came with it."""
        answer = await self.ask("join", {"channel_id": channel, **body})
        assert answer["type"] == "ack" and answer["body"]["ok"], answer
        return next(frame["body"] for frame in reversed(self.frames) if frame["type"] == "history" and frame["body"]["channel_id"] == channel)

    async def say(self, text: str, channel: str = "tavern", request: str | None = None, **body: Any) -> dict[str, Any]:
        return await self.ask("message_up", {"channel_id": channel, "content": {"text": text}, **body}, request)

    def texts(self) -> list[str]:
        return [frame["body"]["content"]["text"] for frame in self.frames if frame["type"] == "message_down"]

    async def until(self, text: str) -> dict[str, Any]:
        """The message with this text, waiting for it if need be."""
        for frame in self.frames:
            if frame["type"] == "message_down" and frame["body"]["content"]["text"] == text:
                return frame
        while True:
            frame = await self.next()
            if frame["type"] == "message_down" and frame["body"]["content"]["text"] == text:
                return frame


class Gateway:
    """Where a running service is found."""

    def __init__(self, service: ChannelService) -> None:
        self.service = service
        self.address = service.addresses()[0]
        self.socket_address = self.address.replace("http", "ws", 1) + "ws"

    @asynccontextmanager
    async def connection(self, **options: Any) -> AsyncIterator[Client]:
        """A connection that has said nothing yet."""
        async with connect(self.socket_address, proxy=None, **options) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def member(self, name: str, *channels: str, **options: Any) -> AsyncIterator[Client]:
        """Somebody new who has joined."""
        async with self.connection(**options) as client:
            answer = await client.hello(name=name)
            assert answer["type"] == "welcome", answer
            for channel in channels or ("tavern",):
                await client.join(channel)
            yield client

    @asynccontextmanager
    async def returning(self, token: str, *, after: int | None = None, channel: str = "tavern") -> AsyncIterator[Client]:
        """Somebody who was here before."""
        async with self.connection() as client:
            answer = await client.hello(token=token)
            assert answer["type"] == "welcome", answer
            await client.join(channel, **({} if after is None else {"after": after}))
            yield client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(self.address.rstrip("/") + path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def metric(self, name: str) -> float:
        """One reading of /metrics, by its name and labels as they stand there."""
        page = (await self.get("/metrics")).text
        return float(next((line.rsplit(" ", 1)[1] for line in page.splitlines() if line.startswith(name + " ")), 0))


@asynccontextmanager
async def gateway(
    root: Path, *, web: dict[str, Any] | None = None, plugins: Sequence[Any] = ("help", "bars", "showcase"), **service: Any
) -> AsyncIterator[Gateway]:
    """A service with the gateway on a free port; `web` is the gateway's config."""
    config = {"port": 0, "data_dir": str(root / "gateway"), **(web or {})}
    every = [*plugins, {"name": "web", "config": config}]
    async with running(root, plugins=every, plugin_folders=[PLUGINS], **{"channels": ["tavern", "library"], **service}) as driver:
        yield Gateway(driver.service)
