"""Clients that mean harm, in a process of their own: `python -m benchmarks.gateway_attackers KIND URL`.

They go on until they are ended. One line on the output says that they have begun. They are members of channel-0.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode

from benchmarks.gateway_clients import FRAME, enter

SILENT, FLOODING, CROWD, HALF_WAY, DOWNLOADS = 2_000, 20, 95, 500, 60
ADDRESS = "192.0.2.66"
"""All attackers have one, and all others another, as proxies tell it."""
_GONE = (OSError, WebSocketException, AssertionError)
_numbers = itertools.count(100_000)


async def silent(url: str) -> None:
    """Thousands of connections that say nothing; whichever is ended is opened again."""
    place = urlsplit(url)
    request = (
        f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Forwarded-For: {ADDRESS}\r\n\r\n"
    )
    ready = asyncio.Semaphore(0)

    async def one() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(place.hostname, place.port)
                writer.write(request.encode())
                await reader.read(1)
                ready.release()
                await reader.read(-1)
                writer.transport.abort()

    tasks = [asyncio.create_task(one()) for _ in range(SILENT)]
    for _ in range(SILENT // 40):  # the rest is turned away
        await ready.acquire()
    print("begun", flush=True)
    await asyncio.gather(*tasks)


async def half_way(url: str) -> None:
    """Connections that never finish what they ask for; whichever is ended is opened again."""
    await _again_and_again(HALF_WAY, partial(_open, url, b"GET /ws HTTP/1.1\r\nHost: "))


async def unread_downloads(url: str) -> None:
    """A film that is fetched again and again, and never read."""
    socket = await enter(url, next(_numbers), "channel-0", ADDRESS)
    await socket.send(FRAME % ("film", "channel-0", "/film"))
    while True:
        body = json.loads(await socket.recv()).get("body", {})
        if path := (body.get("content") or {}).get("path"):
            break
    host = urlsplit(url).netloc
    await _again_and_again(DOWNLOADS, partial(_open, url, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {ADDRESS}\r\n\r\n".encode()))


async def requests(url: str) -> None:
    """The page, without a pause."""
    host = urlsplit(url).netloc
    await _again_and_again(FLOODING, partial(_open, url, f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {ADDRESS}\r\n\r\n".encode(), read=True))


async def newcomers(url: str) -> None:
    """Guests who come and go."""

    async def one() -> None:
        socket = await enter(url, next(_numbers), "channel-0", ADDRESS)
        socket.transport.abort()

    await _again_and_again(FLOODING, one)


async def _open(url: str, request: bytes, *, read: bool = False) -> None:
    """Send this, and stay until the other side ends it."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1024)
    try:
        writer.write(request)
        if read:
            await reader.read(-1)
        else:
            await writer.wait_closed()
    finally:
        writer.transport.abort()


async def _again_and_again(count: int, act: Callable[[], Awaitable[None]]) -> None:
    async def one() -> None:
        while True:
            with suppress(*_GONE):
                await act()

    tasks = [asyncio.create_task(one()) for _ in range(count)]
    await asyncio.sleep(1)
    print("begun", flush=True)
    await asyncio.gather(*tasks)


async def flooding(url: str, act: Callable[[ClientConnection], Awaitable[None]], count: int = FLOODING) -> None:
    """Some members who act without a pause; whoever is thrown out comes back."""

    async def one() -> None:
        socket = await enter(url, next(_numbers), "channel-0", ADDRESS)
        try:
            while True:
                await act(socket)
        finally:
            socket.transport.abort()

    await _again_and_again(count, one)


_IN_EIGHT = b"".join(Frame(Opcode.CONT if at else Opcode.TEXT, b"x" * 128, fin=at == 7).serialize(mask=True) for at in range(8))
_PINGS = Frame(Opcode.PING, b"").serialize(mask=True) * 1_000


async def fragments(socket: ClientConnection) -> None:
    """Messages in eight pieces, 3 MB a second by all together."""
    socket.transport.write(_IN_EIGHT * 15)
    await asyncio.wait_for(socket.drain(), 5)
    await asyncio.sleep(0.1)


async def pings(socket: ClientConnection) -> None:
    """A thousand pings at a time."""
    socket.transport.write(_PINGS)
    await asyncio.wait_for(socket.drain(), 5)
    await asyncio.sleep(0.05)


async def command(socket: ClientConnection) -> None:
    """A command to everybody, whatever comes back."""
    await socket.send(FRAME % (next(_numbers), "channel-0", "/say " + "x" * 2_000))
    with suppress(TimeoutError):
        await asyncio.wait_for(socket.recv(), 0.001)


async def count(socket: ClientConnection) -> None:
    """A command that only the sender sees."""
    await socket.send(FRAME % (next(_numbers), "channel-0", "/count"))
    with suppress(TimeoutError):
        await asyncio.wait_for(socket.recv(), 0.001)


async def unread(socket: ClientConnection) -> None:
    """Ask for page after page and read none."""
    socket.transport.pause_reading()
    await socket.send(json.dumps({"type": "history", "request_id": str(next(_numbers)), "body": {"channel_id": "channel-0", "before": 10**9}}))
    await asyncio.sleep(0.02)


async def nonsense(socket: ClientConnection) -> None:
    """Frames with bytes that do not belong there."""
    text = list(FRAME % (next(_numbers), "channel-0", "/count"))
    for _ in range(5):
        text[random.randrange(len(text))] = random.choice('{}[]"\\\x00x')
    await socket.send("".join(text))
    with suppress(TimeoutError):
        await asyncio.wait_for(socket.recv(), 0.001)


KINDS: dict[str, Callable[[str], Awaitable[None]]] = {
    f"{SILENT:,} silent connections": silent,
    "readers that never read": lambda url: flooding(url, unread),
    "floods of commands": lambda url: flooding(url, command),
    f"{CROWD} who count without a pause": lambda url: flooding(url, count, CROWD),
    "floods of nonsense": lambda url: flooding(url, nonsense),
    "messages in eight fragments, 3 MB/s": lambda url: flooding(url, fragments),
    "floods of pings": lambda url: flooding(url, pings),
    f"{HALF_WAY} handshakes that never end": half_way,
    f"{DOWNLOADS} downloads of 60 MB that nobody reads": unread_downloads,
    "floods of requests": requests,
    "guests who come and go": newcomers,
}


async def main() -> None:
    await KINDS[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    asyncio.run(main())
