"""A member who comes back through another process when its connection ends, and sends again what was not acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from tests.shared.serialisability import Sent


class RoamingMember:
    """Plays `lines` in one channel, one after the other, and keeps what it sent and saw."""

    def __init__(self, name: str, channel: str, addresses: Callable[[], list[str]]) -> None:
        self.name = name
        self.channel = channel
        self.sent: list[Sent] = []
        self.seen: dict[int, tuple[str, str]] = {}
        """The messages by number: what was answered, and the text."""
        self.complaints: list[str] = []
        self.comings = 0
        self._addresses = addresses
        self._token = ""
        self._ids = itertools.count()
        self._random = random.Random(name)
        self._socket: ClientConnection | None = None

    async def play(self, lines: list[str]) -> None:
        """Send each line until it is acknowledged; a refusal for want of storage is sent again."""
        for line in lines:
            operation = f"{self.name}-{next(self._ids)}"
            began = time.monotonic()
            answer = await self._until_acknowledged(operation, f"{line} {operation}")
            self.sent.append(Sent(operation, line, began, time.monotonic(), bool(answer["ok"])))

    async def settle(self, last: int) -> None:
        """Stay until every message up to this number was seen."""
        while max(self.seen, default=0) < last:
            await self._with_socket(self._receive)
        await self.leave()

    async def leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def _until_acknowledged(self, operation: str, line: str) -> dict[str, Any]:
        frame = {"type": "message_up", "request_id": operation, "body": {"channel_id": self.channel, "subtype": "text", "content": {"text": line}}}

        async def ask(socket: ClientConnection) -> dict[str, Any] | None:
            await socket.send(json.dumps(frame))
            return await self._answer(socket, operation)

        while True:
            answer = await self._with_socket(ask)
            if answer is not None and answer["type"] == "ack" and not _is_passing(answer["body"]):
                body: dict[str, Any] = answer["body"]
                return body
            await asyncio.sleep(0.05)

    async def _with_socket(self, work: Callable[[ClientConnection], Any]) -> Any:
        """What `work` returns; None if the connection ended, and then it is made anew the next time."""
        try:
            if self._socket is None:
                self._socket = await self._come_in()
            return await asyncio.wait_for(work(self._socket), 30)
        except (OSError, ConnectionClosed, InvalidStatus, InvalidMessage, TimeoutError):
            if self._socket is not None:
                await self._socket.close()
            self._socket = None
            await asyncio.sleep(0.05)
            return None

    async def _come_in(self) -> ClientConnection:
        addresses = self._addresses()
        if not addresses:
            raise ConnectionRefusedError("no process is up at this moment")
        address = self._random.choice(addresses)
        socket = await connect(address.replace("http", "ws", 1) + "ws", proxy=None, open_timeout=5, close_timeout=1, ping_interval=None)
        self.comings += 1
        who = {"token": self._token} if self._token else {"name": self.name}
        await socket.send(json.dumps({"type": "hello", "request_id": "hello", "body": who}))
        welcome = await self._answer(socket, "hello")
        self._token = welcome["body"]["token"]
        body = {"channel_id": self.channel, "after": max(self.seen, default=0)}
        await socket.send(json.dumps({"type": "join", "request_id": f"join-{time.monotonic_ns()}", "body": body}))
        return socket

    async def _answer(self, socket: ClientConnection, request: str) -> dict[str, Any]:
        while True:
            frame = await self._receive(socket)
            if frame.get("request_id") == request and frame["type"] in {"ack", "welcome", "error"}:
                return frame

    async def _receive(self, socket: ClientConnection) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if frame["type"] == "message_down":
            self._see(frame["body"])
        elif frame["type"] == "history":
            for message in frame["body"]["messages"]:
                self._see(message)
        return frame

    def _see(self, message: dict[str, Any]) -> None:
        number = message["number"]
        if not number:
            return
        command = (message.get("context") or {}).get("command", "")
        found = (command.rpartition(" ")[2], message["content"]["text"])
        if number in self.seen:
            self.complaints.append(f"{self.name} was shown message {number} twice: {self.seen[number]} and {found}")
        elif self.seen and number < max(self.seen):
            self.complaints.append(f"{self.name} was shown message {number} after {max(self.seen)}")
        self.seen[number] = found


def _is_passing(body: dict[str, Any]) -> bool:
    """A refusal that says to try again; the same event may then be sent once more."""
    return not body["ok"] and any(word in body["message"] for word in ("ry again", "Join the channel first"))
