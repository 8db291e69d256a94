"""A small network of rooms, over a real socket: it can refuse, delay, take without an answer, and be killed. What it took is in a file.

One JSON object a line. `python -m tests.outbox.room_server FILE [PORT]` runs it as a process of its own and prints its port.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any


class RoomServer:
    """`remembers` says whether it takes the same key twice for the same message. Troubles are chances from 0 to 1."""

    def __init__(self, file: Path, *, remembers: bool = True, seed: int = 0) -> None:
        self.file = file
        self.remembers = remembers
        self.is_away = False
        self.later = 0.0
        self.silent = 0.0
        """The chance that it takes a message and cuts the line instead of answering."""
        self.deaf = 0.0
        """The chance that it cuts the line instead of taking a message."""
        self.slow = 0.0
        """Seconds for each answer, at most."""
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._taken: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for line in tuple(self._lines):
            line.transport.abort()
        await self._server.wait_closed()

    def taken(self, room: str = "hall") -> list[dict[str, Any]]:
        """Everything that was done in a room, in order."""
        return [entry for entry in self._taken if entry["room"] == room]

    def texts(self, room: str = "hall") -> list[str]:
        """What was said in a room, in order."""
        return [entry["text"] for entry in self.taken(room) if entry["kind"] == "message"]

    def doubled(self, room: str = "hall") -> list[str]:
        """What was said more than once."""
        return [text for text, count in Counter(self.texts(room)).items() if count > 1]

    def shown(self, room: str = "hall") -> dict[str, str]:
        """What somebody sees who comes into the room: texts by id, as they were edited and deleted."""
        seen: dict[str, str] = {}
        for entry in self.taken(room):
            match entry["kind"]:
                case "message":
                    seen[entry["id"]] = entry["text"]
                case "edit":
                    seen[entry["earlier"]] = entry["text"]
                case "delete":
                    seen.pop(entry["earlier"])
        return seen

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while line := await reader.readline():
                answer = await self._answer(json.loads(line))
                if answer is None:
                    writer.transport.abort()
                    return
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass  # whoever called is gone
        finally:
            self._lines.discard(writer)
            writer.close()

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        await asyncio.sleep(self._chance.random() * self.slow)
        if asked["do"] == "find":
            return {"id": next((entry["id"] for entry in self._taken if (entry["room"], entry["key"]) == (asked["room"], asked["key"])), None)}
        if self.is_away:
            return {"later": self.later}
        if "forbidden" in asked["text"]:
            return {"refused": "that is not said here"}
        if self._chance.random() < self.deaf:
            return None
        known = next((entry for entry in self._taken if (entry["room"], entry["key"]) == (asked["room"], asked["key"])), None)
        if known is None or not self.remembers:
            known = {**asked, "id": f"id-{len(self._taken) + 1}"}
            self._taken.append(known)
            with self.file.open("a") as file:
                file.write(json.dumps(known) + "\n")
        return None if self._chance.random() < self.silent else {"id": known["id"]}


async def main(file: str, port: str = "0", remembers: str = "yes", silent: str = "0") -> None:
    server = RoomServer(Path(file), remembers=remembers == "yes")
    server.silent = server.deaf = float(silent)
    await server.start(int(port))
    print(server.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
