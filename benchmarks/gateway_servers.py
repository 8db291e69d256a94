"""The servers that the gateway benchmark compares, each in a process of its own: `python -m benchmarks.gateway_servers NAME CHANNELS FOLDER`.

The first line of output is the WebSocket's address.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

PLUGIN = '''
"""A counter for each member: the smallest command that changes something."""

import pathlib

from mooring import Context, Rest, command


@command
async def count(ctx: Context) -> None:
    """Add one to your counter."""
    counts = ctx.storage.counts
    counts[ctx.member.id] = counts.get(ctx.member.id, 0) + 1
    ctx.tell(ctx.member, f"count {counts[ctx.member.id]}")


@command
async def film(ctx: Context) -> None:
    """Send a file of 60 MB."""
    path = pathlib.Path(__file__).with_name("film.bin")
    with path.open("wb") as file:
        file.truncate(60_000_000)
    ctx.reply(path)


@command
async def say(ctx: Context, text: Rest) -> None:
    """Say something to all."""
    ctx.reply(text)
'''

# The members of the fan-out do not read while others still come in, so the buffer for slow readers has to be large.
LIMITS = {
    "send_buffer": 10**8,
    "frames_per_second": 1e9,
    "burst": 10**9,
    "connections": 10**5,
    "members_per_channel": 10**5,
    "bytes_per_second": 10**9,
    "connections_per_address": 10**5,
    "hellos_per_minute": 10**6,
    "joins_per_minute": 10**6,
}


def announce(port: int, path: str = "") -> None:
    print(f"ws://127.0.0.1:{port}/{path}", flush=True)


async def echo() -> None:
    """Every message back to its sender; `!` first sends it to all with websockets' own broadcast."""
    everybody: set[ServerConnection] = set()

    async def handle(socket: ServerConnection) -> None:
        everybody.add(socket)
        async for message in socket:
            if message[0] == "!":
                broadcast(everybody, message)
            else:
                await socket.send(message)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        announce(server.sockets[0].getsockname()[1])
        await asyncio.Future()


def mooring(channels: int, folder: Path, **web: Any) -> None:
    """The service as it is shipped, in a process of its own, with synced commits."""
    from mooring import ChannelService
    from mooring.service.process import run_process

    (folder / "counting.py").write_text(PLUGIN)
    service = ChannelService(
        service_config={
            "channels": [f"channel-{number}" for number in range(channels)],
            "plugin_folders": [str(folder)],
            "plugins": ["counting", {"name": "web", "config": {"port": 0, "data_dir": str(folder / "gateway"), **web}}],
        },
        db_config=[{"implementation": "json", "name": "counts", "settings": {"root_dir": str(folder / "json_db")}}],
    )
    run_process(service, lambda _: announce(int(service.addresses()[0].rstrip("/").rsplit(":", 1)[1]), "ws"))


async def by_hand(folder: Path) -> None:
    """The same command as one would write it in an afternoon: aiohttp, and a synced sqlite3 transaction for each."""
    aiohttp: Any = importlib.import_module("aiohttp")  # only for this comparison, so not among what is always installed
    web: Any = importlib.import_module("aiohttp.web")
    database = sqlite3.connect(folder / "counts.sqlite", isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE counts (member TEXT PRIMARY KEY, count INTEGER);")

    async def handle(request: Any) -> Any:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        member = ""
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = json.loads(message.data)
            if frame["type"] == "hello":
                member = frame["body"]["name"]
            elif frame["type"] == "message_up":
                database.execute("INSERT INTO counts VALUES (?, 1) ON CONFLICT (member) DO UPDATE SET count = count + 1", (member,))
                (count,) = database.execute("SELECT count FROM counts WHERE member = ?", (member,)).fetchone()
                await socket.send_str(json.dumps({"type": "message_down", "body": {"content": {"text": f"count {count}"}}}))
            await socket.send_str(json.dumps({"type": "ack", "body": {"ok": True, "token": ""}, "request_id": frame["request_id"]}))
        return socket

    app = web.Application()
    app.router.add_get("/ws", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    announce(runner.addresses[0][1], "ws")
    await asyncio.Future()


if __name__ == "__main__":
    name, count, where = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    servers: dict[str, Callable[[], None]] = {
        "echo": lambda: asyncio.run(echo()),
        "mooring": lambda: mooring(count, where, limits=LIMITS),
        "guarded": lambda: mooring(count, where, trusted_proxies=["127.0.0.0/8"]),
        "by hand": lambda: asyncio.run(by_hand(where)),
    }
    servers[name]()
