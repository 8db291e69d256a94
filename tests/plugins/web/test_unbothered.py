"""While others do harm, a member's messages all arrive, once and in order. What it costs in time is for the benchmark."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.plugins.web.harness import Client, Gateway, gateway

WORDS = [f"word {number}" for number in range(300)]
ROOMY: dict[str, Any] = {"connections_per_address": 5_000, "send_buffer": 65_536, "burst": 400}

Harm = Callable[[Gateway, asyncio.Event], Coroutine[Any, Any, None]]


async def silence(place: Gateway, begun: asyncio.Event) -> None:
    """Hundreds of connections that say nothing, opened again whenever they are ended."""
    host, port = place.address.removeprefix("http://").rstrip("/").split(":")

    async def one() -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(f"GET /ws HTTP/1.1\r\nHost: {host}\r\n".encode())
                begun.set()
                try:
                    await reader.read(-1)
                finally:
                    writer.transport.abort()

    await asyncio.gather(*(one() for _ in range(200)))


async def many(place: Gateway, act: Callable[[ClientConnection, int], Awaitable[None]]) -> None:
    """Ten members who act until they are thrown out, and come back under other names."""

    async def one(number: int) -> None:
        for life in range(1_000):
            with suppress(ConnectionClosed):
                async with place.connection() as mallory:
                    try:
                        await mallory.hello(name=f"mallory-{number}-{life}")
                        await mallory.send("join", {"channel_id": "tavern"})
                        for step in range(100_000):
                            await act(mallory.socket, step)
                    finally:
                        mallory.socket.transport.abort()

    await asyncio.gather(*(one(number) for number in range(10)))


async def flood(place: Gateway, begun: asyncio.Event) -> None:
    async def act(socket: ClientConnection, step: int) -> None:
        begun.set()
        await socket.send(json.dumps({"type": "message_up", "request_id": str(step), "body": {"channel_id": "library", "content": {"text": "!"}}}))
        await socket.send("{" * 50)
        await asyncio.sleep(0.005)  # all of this is one process, and what the attackers take of it is not the service's fault

    await many(place, act)


async def deafness(place: Gateway, begun: asyncio.Event) -> None:
    async def act(socket: ClientConnection, step: int) -> None:
        begun.set()
        socket.transport.pause_reading()
        await socket.send(json.dumps({"type": "history", "request_id": str(step), "body": {"channel_id": "tavern", "before": 10**6}}))
        await asyncio.sleep(0.01)

    await many(place, act)


async def say_patiently(client: Client, text: str, request: str) -> None:
    """Say it as the page does: the same frame again as long as the service asks for that."""
    while not (answer := await client.say(text, request=request))["body"].get("ok"):
        assert answer["body"]["retry"], answer
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("harm", [silence, flood, deafness], ids=lambda harm: harm.__name__)
async def test_all_words_arrive_once_and_in_order_meanwhile(tmp_path: Path, harm: Harm) -> None:
    begun = asyncio.Event()
    async with (
        gateway(tmp_path, web={"limits": ROOMY}, limits={"queue_length": 50}) as place,
        place.member("ann") as ann,
        place.member("bob") as bob,
    ):
        attack = asyncio.create_task(harm(place, begun))
        await begun.wait()
        for number, word in enumerate(WORDS):
            await say_patiently(ann, word, f"word-{number}")
        assert not attack.done()
        await bob.until(WORDS[-1])
        attack.cancel()
        with suppress(asyncio.CancelledError):
            await attack
        assert [text for text in bob.texts() if text in WORDS] == WORDS
        assert [text for text in ann.texts() if text in WORDS] == WORDS
        assert (await place.get("/readyz")).status_code == 200
