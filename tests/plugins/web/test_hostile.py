"""Clients that mean harm. The service stays up, and the others notice nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from mooring.plugins.web import frames
from mooring.plugins.web.up_schema import UP
from tests.plugins.web.harness import Client, Gateway, gateway

MANY = int(os.environ.get("MOORING_HOSTILE_FRAMES", "100000"))
GENEROUS = {
    "limits": {
        "burst": 1_000_000,
        "frames_per_second": 1_000_000,
        "connections": 5_000,
        "connections_per_address": 5_000,
        "first_frame_seconds": 600,  # a machine that has other things to do takes long to open 2000 silent ones
    }
}

GOOD = [
    {"type": "hello", "request_id": "1", "body": {"name": "mallory"}},
    {"type": "join", "request_id": "2", "body": {"channel_id": "tavern", "after": 3}},
    {"type": "message_up", "request_id": "3", "body": {"channel_id": "tavern", "content": {"text": "/hit @ann 20"}}},
    {"type": "button_click", "request_id": "4", "body": {"channel_id": "tavern", "button_id": "wave", "arguments": [{"label": "a", "value": "b"}]}},
    {
        "type": "menu_item_click",
        "request_id": "5",
        "body": {"channel_id": "tavern", "menu_item_id": "quote", "message_id": "1", "message_subtype": "text", "message_content": {}},
    },
    {"type": "history", "request_id": "6", "body": {"channel_id": "tavern", "before": 10}},
    {"type": "leave", "request_id": "7", "body": {"channel_id": "library"}},
    {"type": "ping", "request_id": "8", "body": {}},
]

NASTY = [
    "",
    " ",
    "null",
    "[]",
    "{}",
    "0",
    '"hello"',
    "{",
    "}",
    "[" * 60_000,
    '{"a":' * 10_000 + "1" + "}" * 10_000,
    '{"type":"hello","request_id":"x","body":' + "[" * 20_000 + "]" * 20_000 + "}",
    '{"type":"message_up","request_id":"x","body":{"channel_id":"tavern","content":{"text":"a"},"recipients":' + "[" * 9_000 + "]" * 9_000 + "}}",
    '{"type":"join","request_id":"x","body":{"channel_id":"tavern","after":' + "9" * 4_000 + "}}",
    '{"type":"join","request_id":"x","body":{"channel_id":"tavern","after":-1}}',
    '{"type":"join","request_id":"x","body":{"channel_id":"tavern","after":1e999}}',
    '{"type":"join","request_id":"x","body":{"channel_id":"tavern","after":NaN}}',
    '{"type":"history","request_id":"x","body":{"channel_id":"tavern","before":1.5}}',
    '{"type":"history","request_id":"x","body":{"channel_id":"tavern","before":5,"limit":100000000}}',
    '{"type":"hello","request_id":"x","body":{"name":"\\ud800"}}',
    '{"type":"hello","request_id":"\\udfff","body":{"name":"a"}}',
    '{"type":"hello","request_id":"","body":{"name":"a"}}',
    '{"type":"hello","request_id":5,"body":{"name":"a"}}',
    '{"type":"hello","request_id":"x","body":{"name":{"toString":"a"}}}',
    '{"type":"hello","request_id":"x","body":{"name":"a","__proto__":{}}}',
    '{"type":"welcome","request_id":"x","body":{}}',
    '{"type":"message_down","request_id":"x","body":{"channel_id":"tavern"}}',
    '{"type":"message_up","request_id":"x","body":{"channel_id":"tavern","sender":"m-1","content":{"text":"forged"}}}',
    '{"type":"message_up","request_id":"x","body":{"channel_id":"tavern","subtype":"table","content":{"text":"a"}}}',
    '{"type":"message_up","request_id":"x","body":{"channel_id":"tavern","context":{"error":true},"content":{"text":"a"}}}',
    '{"type":"message_up","request_id":"' + "x" * 1_000 + '","body":{}}',
    '{"type":"message_up","request_id":"x","body":{"channel_id":"' + "x" * 1_000 + '","content":{}}}',
    "\x00" * 100,
    "\ufeff{}",
    "GET / HTTP/1.1\r\n\r\n",
    '{"type":"ping","request_id":"x","body":{}}' * 2,
]


async def is_well(place: Gateway, ann: Client) -> None:
    """The service answers ann, who did nothing wrong."""
    assert (await ann.say("all well"))["body"]["ok"]
    assert (await place.get("/readyz")).status_code == 200


@pytest.mark.parametrize("text", NASTY, ids=lambda text: text[:40].encode("ascii", "backslashreplace").decode())
def test_nonsense_is_refused_in_words_and_never_raises_anything_else(text: str) -> None:
    with pytest.raises(frames.FrameError) as refusal:
        frames.decode(text)
    assert refusal.value.message
    json.loads(frames.encode_error(refusal.value))


async def test_nonsense_gets_an_error_frame_and_the_connection_stays(tmp_path: Path) -> None:
    async with gateway(tmp_path, web=GENEROUS) as place, place.member("ann") as ann, place.member("mallory") as mallory:
        for text in NASTY:
            await mallory.socket.send(text)
            while (frame := await mallory.next())["type"] != "error":
                pass
            assert frame["body"]["code"] in {"malformed", "unknown_type", "too_large", "not_joined", "unknown_channel"}, frame
        assert (await mallory.ask("join", {"channel_id": "../../etc"}))["body"]["code"] == "unknown_channel"
        await mallory.socket.send(b"\x00\xff")
        while (frame := await mallory.next())["type"] != "error":
            pass
        assert frame["body"]["code"] == "not_text"
        assert (await mallory.say("still here"))["body"]["ok"]
        await is_well(place, ann)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["channel_id", "content", "text", "name", "token", "after", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=1_000, deadline=None)
@given(kind=st.sampled_from([*UP, "x"]) | st.text(max_size=10), request=st.text(max_size=70) | st.integers(), body=_json)
def test_any_json_is_a_frame_or_a_refusal(kind: str, request: object, body: object) -> None:
    text = json.dumps({"type": kind, "request_id": request, "body": body})
    try:
        frame = frames.decode(text)
    except frames.FrameError as refusal:
        frames.encode_error(refusal)
    else:
        assert type(frame.body) is UP[kind]


def mutated(rng: random.Random) -> str | bytes:
    """A good frame with a few bytes changed, cut, doubled or swapped."""
    data = bytearray(json.dumps(rng.choice(GOOD)).encode())
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(5)
        if kind == 0:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            del data[at : at + rng.randrange(1, 20)]
        elif kind == 2:
            data[at:at] = data[at : at + rng.randrange(1, 30)]
        elif kind == 3:
            data[at:at] = rng.choice([b'"', b"{", b"}", b"[", b"\\u0000", b"\\ud800", b"1e400", b"null", b",", b"\\"])
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 8))
    with suppress(UnicodeDecodeError):
        return data.decode()
    return bytes(data)


@pytest.mark.slow
async def test_a_hundred_thousand_mutated_frames(tmp_path: Path) -> None:
    rng = random.Random(20)
    async with gateway(tmp_path, web=GENEROUS) as place, place.member("ann") as ann:
        sent = 0
        while sent < MANY:
            async with connect(place.socket_address, proxy=None) as socket:
                reading = asyncio.create_task(_drain(socket))
                with suppress(ConnectionClosed):
                    await socket.send(json.dumps({"type": "hello", "request_id": "h", "body": {"name": f"mallory-{sent}"}}))
                    for _ in range(500):
                        await socket.send(mutated(rng))
                        sent += 1
                reading.cancel()
                socket.transport.abort()
        await is_well(place, ann)


async def _drain(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            await socket.recv()


@asynccontextmanager
async def raw(place: Gateway, *, shake_hands: bool = True) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare TCP connection, after the WebSocket handshake if asked."""
    host, port = place.address.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    if shake_hands:
        lines = [
            "GET /ws HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert b"101" in await reader.readuntil(b"\r\n\r\n")
    yield reader, writer
    writer.transport.abort()


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What comes until the other side ends the connection."""
    async with asyncio.timeout(10):
        with suppress(ConnectionError):
            return await reader.read(-1)
    return b""


async def test_a_slow_loris_is_cut_off(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"first_frame_seconds": 0.3}}) as place:
        async with raw(place, shake_hands=False) as (reader, writer):
            writer.write(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            await closed(reader)
        async with raw(place) as (reader, writer):
            writer.write(Frame(Opcode.TEXT, b'{"type":"hello"' + b" " * 200).serialize(mask=True)[:60])
            assert b"no hello in time" in await closed(reader)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(Frame(Opcode.TEXT, b"x").serialize(mask=False), id="unmasked"),
        pytest.param(b"\xc1\x80\x00\x00\x00\x00", id="reserved bit, as if compressed"),
        pytest.param(b"\x83\x80\x00\x00\x00\x00", id="unknown opcode"),
        pytest.param(b"\x81\xff" + b"\x7f" * 8 + b"\x00" * 4, id="a length of nine exabytes"),
        pytest.param(b"\x81\xff\xff" + b"\xff" * 7 + b"\x00" * 4, id="a negative length"),
        pytest.param(Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), id="no UTF-8"),
        pytest.param(Frame(Opcode.CONT, b"x").serialize(mask=True), id="a continuation of nothing"),
        pytest.param(b"\x89\xfe\x00\xc8" + b"\x00" * 204, id="a control frame that is too long"),
        pytest.param(b"\x88\x81" + b"\x00" * 5, id="a close of one byte"),
        pytest.param(b"\x00" * 64, id="zeros"),
    ],
)
async def test_what_is_no_websocket_ends_its_own_connection_only(tmp_path: Path, data: bytes) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        async with raw(place) as (reader, writer):
            writer.write(data)
            await closed(reader)
        await is_well(place, ann)


async def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        async with connect(place.socket_address, proxy=None, compression="deflate") as socket:
            assert socket.protocol.extensions == [], "compression is not offered"
        packer = zlib.compressobj(9, wbits=-15)
        bomb = packer.compress(b" " * 50_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
        async with raw(place) as (reader, writer):
            frame = bytearray(Frame(Opcode.TEXT, bomb[:60_000]).serialize(mask=True))
            frame[0] |= 0x40
            writer.write(bytes(frame))
            await closed(reader)
        await is_well(place, ann)


async def test_half_a_frame_and_then_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as place, place.member("ann") as ann:
        for cut in (1, 3, 6, 20):
            async with raw(place) as (_, writer):
                writer.write(Frame(Opcode.TEXT, json.dumps(GOOD[0]).encode()).serialize(mask=True)[:cut])
                await writer.drain()
        await is_well(place, ann)


@pytest.mark.slow
async def test_two_thousand_connections_cost_little_and_end_cleanly(tmp_path: Path) -> None:
    process = psutil.Process()
    async with gateway(tmp_path, web=GENEROUS) as place, place.member("ann") as ann:
        before = process.memory_info().rss
        idle = await asyncio.gather(*(raw(place).__aenter__() for _ in range(2_000)))
        assert await place.metric("mooring_connections") == 2_001
        await is_well(place, ann)
        grown = process.memory_info().rss - before
        assert grown < 2_000 * 150_000, "both ends are in this process"
        for _, writer in idle:
            writer.transport.abort()
        async with asyncio.timeout(30):
            while await place.metric("mooring_connections") > 1:
                await asyncio.sleep(0.05)
        await is_well(place, ann)
