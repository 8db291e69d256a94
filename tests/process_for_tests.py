"""The service as an operator runs it, and a member who comes in through the real door."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from mooring.control.client import ask
from mooring.control.messages import Response

ROOT = Path(__file__).parents[1]


class Process:
    """`python service.py` in a folder of its own."""

    def __init__(self, process: asyncio.subprocess.Process, line: str) -> None:
        self.process = process
        self.line = line
        self.address = line.removeprefix("Mooring is at ").strip()

    def kill(self) -> None:
        self.process.kill()

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, or with 0 only wait; the exit code and what was logged."""
        if number:  # to send 0 would reap a process that has ended, and asyncio would not learn its exit code
            self.process.send_signal(number)
        _, log = await self.process.communicate()
        return self.process.returncode or 0, log.decode()

    async def wait(self) -> int:
        await self.process.communicate()
        return self.process.returncode or 0


async def start(folder: Path, *arguments: str, stdin: int | None = None, **environment: str) -> Process:
    """Start the service and wait for its first line, which is empty if it ended instead."""
    return await launch(folder, [sys.executable, str(ROOT / "service.py"), *arguments], stdin=stdin, **environment)


async def launch(folder: Path, command: Sequence[str], *, stdin: int | None = None, **environment: str) -> Process:
    """The same for a service that another command starts."""
    settings = {key: value for key, value in os.environ.items() if not key.startswith(("MOORING_", "TORBOX_", "COV_"))}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**settings, "MOORING_PORT": "0", **environment},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_the_tests,
    )
    assert process.stdout is not None
    return Process(process, (await process.stdout.readline()).decode())


async def asked(folder: Path, command: str, **arguments: Any) -> Response:
    """What the running service answers over its socket, as the command line has it."""
    answer = await asyncio.to_thread(ask, folder / "data", "1", command, arguments)
    assert answer is not None
    return answer


def die_with_the_tests() -> None:
    """A test that fails leaves no process behind (where the system can do that)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def write_configs(folder: Path, *, plugins: Sequence[Any] = ("help", "bars", "web"), db: Any = None, **service: Any) -> list[str]:
    """Write both configs into a folder, and return the options that name them."""
    (folder / "service.json").write_text(json.dumps({"channels": ["tavern"], "plugins": list(plugins), **service}))
    dicts = [{"implementation": "json", "name": name, "settings": {"root_dir": "json_db"}} for name in ("health_bars", "mana_bars")]
    (folder / "db_config.json").write_text(json.dumps(dicts if db is None else db))
    return ["--config", "service.json", "--db-config", "db_config.json"]


class Member:
    """One connection. Frames other than answers are kept in `frames`, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._requests = itertools.count(1)
        self.frames: list[dict[str, Any]] = []
        self.token = ""

    async def ask(self, kind: str, body: dict[str, Any], request: str | None = None) -> dict[str, Any]:
        """Send a frame and wait for the one that answers it."""
        request = request or f"{id(self)}-{next(self._requests)}"
        await self._socket.send(json.dumps({"type": kind, "request_id": request, "body": body}))
        while True:
            frame: dict[str, Any] = json.loads(await self._socket.recv())
            if frame.get("request_id") == request and frame["type"] in {"ack", "welcome", "error"}:
                return frame
            self.frames.append(frame)

    async def hello(self, **who: str) -> None:
        welcome = await self.ask("hello", who)
        assert welcome["type"] == "welcome", welcome
        self.token = welcome["body"]["token"]

    async def say(self, text: str, channel: str = "tavern", request: str | None = None) -> dict[str, Any]:
        body = {"channel_id": channel, "subtype": "text", "content": {"text": text}}
        return await self.ask("message_up", body, request)

    def texts(self) -> list[str]:
        """The text of every message that came so far, history included."""
        bodies = [frame["body"] for frame in self.frames if frame["type"] == "message_down"]
        bodies = [message for frame in self.frames if frame["type"] == "history" for message in frame["body"]["messages"]] + bodies
        return [body["content"]["text"] for body in bodies]


@asynccontextmanager
async def member(address: str, *channels: str, **who: str) -> AsyncIterator[Member]:
    """Somebody who came in, by `name` or `token`, and joined channels."""
    async with connect(address.replace("http", "ws", 1) + "ws", proxy=None) as socket:
        one = Member(socket)
        await one.hello(**who)
        for channel in channels or ("tavern",):
            answer = await one.ask("join", {"channel_id": channel})
            assert answer["body"]["ok"], answer
        yield one
