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
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from benchmarks.gateway_clients import FRAME, enter

SILENT, FLOODING = 2_000, 20
_GONE = (OSError, WebSocketException, AssertionError)
_numbers = itertools.count(100_000)


async def silent(url: str) -> None:
    """Thousands of connections that say nothing; whichever is ended is opened again."""
    place = urlsplit(url)
    request = (
        f"GET {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
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
    for _ in range(SILENT):
        await ready.acquire()
    print("begun", flush=True)
    await asyncio.gather(*tasks)


async def flooding(url: str, act: Callable[[ClientConnection], Awaitable[None]]) -> None:
    """Some members who act without a pause; whoever is thrown out comes back."""

    async def one() -> None:
        while True:
            with suppress(*_GONE):
                socket = await enter(url, next(_numbers), "channel-0")
                with suppress(*_GONE):
                    while True:
                        await act(socket)
                socket.transport.abort()

    tasks = [asyncio.create_task(one()) for _ in range(FLOODING)]
    await asyncio.sleep(1)
    print("begun", flush=True)
    await asyncio.gather(*tasks)


async def command(socket: ClientConnection) -> None:
    """A command to everybody, whatever comes back."""
    await socket.send(FRAME % (next(_numbers), "channel-0", "/say " + "x" * 2_000))
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
    "floods of nonsense": lambda url: flooding(url, nonsense),
}


async def main() -> None:
    await KINDS[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    asyncio.run(main())
