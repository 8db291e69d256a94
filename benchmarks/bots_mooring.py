"""The counter of the examples on the service as it is shipped: `service.py`, its gateway, and synced commits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.bots_counting import Gone, Unreadable
from benchmarks.bots_processes import COUNT, PATIENCE, ROOT, ChildBot

CHANNEL = "tavern"
RETRY_SECONDS = 0.05


class MooringBot(ChildBot):
    """Each member has a connection of its own, and comes back with the token that it got."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._tokens: dict[str, str] = {}
        self._sockets: dict[str, ClientConnection] = {}

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        plugins = ["counter", {"name": "web", "config": {"data_dir": "gateway"}}]
        (self.folder / "service.json").write_text(
            json.dumps({"channels": [CHANNEL], "plugin_folders": [str(ROOT / "examples")], "plugins": plugins}),
        )
        (self.folder / "db.json").write_text(json.dumps([{"implementation": "json", "name": "counts", "settings": {"root_dir": "json_db"}}]))
        process = await self.launch([str(ROOT / "service.py"), "--config", "service.json", "--db-config", "db.json"])
        assert process.stdout is not None
        line = asyncio.ensure_future(process.stdout.readline())
        await self.until(line)
        if not line.result():
            raise self.last_words()
        self._address = line.result().decode().removeprefix("Mooring is at ").strip().replace("http", "ws", 1) + "ws"
        self._sockets.clear()

    def clear(self) -> None:
        super().clear()
        self._tokens.clear()

    async def _enter(self, member: str) -> ClientConnection:
        socket = self._sockets[member] = await connect(self._address, proxy=None)
        known = self._tokens.get(member)
        welcome, _ = await _ask(socket, "hello", f"hello-{member}", {"token": known} if known else {"name": member})
        self._tokens[member] = welcome["body"]["token"]
        await _ask(socket, "join", f"join-{member}", {"channel_id": CHANNEL})
        return socket

    async def say(self, member: str, command_id: str, by: int, times: int) -> AsyncIterator[int | None]:
        """One request, sent so many times under one id."""
        body = {"channel_id": CHANNEL, "content": {"text": f"/count {by}"}}
        try:
            socket = self._sockets.get(member) or await self._enter(member)
            for _ in range(times):
                await socket.send(_frame("message_up", command_id, body))
            for _ in range(times):
                _, texts = await _answer(socket, "message_up", command_id, body)
                counts = [int(found[2]) for text in texts if (found := COUNT.match(text)) and found[1] == member]
                yield max(counts, default=None)
        except (ConnectionClosed, ConnectionError) as error:
            raise Gone from error


def _frame(kind: str, request_id: str, body: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "request_id": request_id, "body": body})


async def _ask(socket: ClientConnection, kind: str, request_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    await socket.send(_frame(kind, request_id, body))
    return await _answer(socket, kind, request_id, body)


async def _answer(socket: ClientConnection, kind: str, request_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The frame that answers a request, and the texts that came before it. What the service asks to send again is sent again, under its id."""
    texts: list[str] = []
    while True:
        frame = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
        if frame["type"] == "message_down":
            texts.append(frame["body"]["content"]["text"])
        elif frame.get("request_id") == request_id and frame["type"] in {"ack", "welcome", "error"}:
            if frame["type"] != "error" and frame["body"].get("ok", True):
                return frame, texts
            if not frame["body"].get("retry"):
                raise Unreadable(json.dumps(frame))
            await asyncio.sleep(RETRY_SECONDS)
            await socket.send(_frame(kind, request_id, body))
