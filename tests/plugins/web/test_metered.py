"""Clients that cost more than they may: floods of bytes, fragments and pings, and many from one address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

from mooring.plugins.web.address_limits import BucketsByAddress, per_minute
from mooring.plugins.web.metered_connection import MeteredConnection
from tests.plugins.web.harness import Client, Gateway, gateway
from tests.waiting_for_tests import eventually

PROXIED: dict[str, Any] = {"trusted_proxies": ["127.0.0.0/8"]}


def test_an_address_has_as_many_a_minute_as_it_may() -> None:
    buckets = per_minute(3)
    assert [buckets.refusal_seconds("a", 0) for _ in range(4)] == [0, 0, 0, 20]
    assert buckets.refusal_seconds("b", 0) == 0
    assert buckets.refusal_seconds("a", 19) == 1
    assert buckets.refusal_seconds("a", 20) == 0


def test_addresses_that_were_not_heard_of_for_long_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mooring.plugins.web.address_limits._MOST", 3)
    buckets = BucketsByAddress(1, 1)
    for address in ("a", "b", "c", "a", "d"):
        buckets.refusal_seconds(address, 0)
    assert buckets.refusal_seconds("a", 0), "it was heard of after b"
    assert not buckets.refusal_seconds("b", 0)


@asynccontextmanager
async def from_address(place: Gateway, address: str) -> AsyncIterator[Client]:
    async with connect(place.socket_address, proxy=None, additional_headers={"X-Forwarded-For": address}) as socket:
        yield Client(socket)


async def test_hellos_are_limited_by_address(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"hellos_per_minute": 3}, **PROXIED}) as place:
        for number in range(3):
            async with from_address(place, f"2001:db8::{number}") as one:
                assert (await one.hello(name=f"guest{number}"))["type"] == "welcome"
        async with from_address(place, "2001:db8::77") as fourth, from_address(place, "2001:db8:0:1::1") as elsewhere:
            refused = (await fourth.hello(name="fourth"))["body"]
            assert (refused["code"], refused["retry"]) == ("too_fast", True)
            assert "from your address. Wait" in refused["message"]
            assert (await elsewhere.hello(name="elsewhere"))["type"] == "welcome"
        assert await place.metric('mooring_frames_refused_total{code="too_fast"}') == 1


async def test_joins_are_limited_by_address(tmp_path: Path) -> None:
    web = {"limits": {"joins_per_minute": 4}, **PROXIED}
    async with gateway(tmp_path, web=web) as place, from_address(place, "192.0.2.1") as ann, from_address(place, "192.0.2.2") as bob:
        await ann.hello(name="ann")
        await bob.hello(name="bob")
        for _ in range(2):
            await ann.join()
            await ann.ask("leave", {"channel_id": "tavern"})
        await ann.join()
        await ann.join("library")
        assert (await ann.ask("join", {"channel_id": "library"}))["body"]["code"] == "too_fast"
        await bob.join()


async def test_requests_are_limited_by_address(tmp_path: Path) -> None:
    limits = {"requests_per_minute": 5, "connections_per_address": 2}
    async with gateway(tmp_path, web={"limits": limits, **PROXIED}) as place:
        found = [await place.get("/", X_Forwarded_For="192.0.2.1") for _ in range(6)]
        assert [answer.status_code for answer in found] == [200] * 5 + [429]
        assert 1 <= int(found[-1].headers["retry-after"]) <= 12
        assert (await place.get("/", X_Forwarded_For="192.0.2.2")).status_code == 200


FLOODS = {
    "pings": Frame(Opcode.PING, b"").serialize(mask=True) * 40_000,
    "pongs": Frame(Opcode.PONG, b"").serialize(mask=True) * 40_000,
    "fragments": Frame(Opcode.TEXT, b"", fin=False).serialize(mask=True) + Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 40_000,
    "messages of eight fragments": (
        Frame(Opcode.TEXT, b"x", fin=False).serialize(mask=True)
        + Frame(Opcode.CONT, b"x", fin=False).serialize(mask=True) * 6
        + Frame(Opcode.CONT, b"x").serialize(mask=True)
    )
    * 5_000,
    "bytes": (Frame(Opcode.TEXT, b"x" * 60_000).serialize(mask=True)) * 100,
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_is_read_slowly_and_nobody_else_waits(tmp_path: Path, flood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    feed = MeteredConnection._feed

    def count(connection: MeteredConnection, piece: bytes, now: float) -> None:
        nonlocal taken
        taken += len(piece)
        feed(connection, piece, now)

    monkeypatch.setattr(MeteredConnection, "_feed", count)
    async with gateway(tmp_path) as place, place.member("ann") as ann, place.member("mallory") as mallory:
        mallory.socket.transport.write(FLOODS[flood])
        for number in range(20):
            assert (await ann.say(f"line {number}"))["body"]["ok"]
        assert taken < len(FLOODS[flood]), "the others did not have to wait for all of it"


async def test_who_was_too_fast_goes_on_later(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"bytes_per_second": 32_768}}) as place, place.member("ann") as ann:
        sent = [await ann.send("message_up", {"channel_id": "tavern", "content": {"text": "x" * 15_000}}) for _ in range(20)]
        assert (await ann.say("all of it came"))["body"]["ok"]
        answers = {frame["request_id"]: frame["body"]["ok"] for frame in ann.frames if frame["type"] == "ack"}
        assert all(answers[request] for request in sent)


async def test_who_pings_and_reads_no_answer_is_dropped(tmp_path: Path) -> None:
    limits = {"send_buffer": 65_536, "bytes_per_second": 10**9, "frames_per_second": 10**6, "burst": 10**6}
    async with gateway(tmp_path, web={"limits": limits}) as place, place.member("mallory") as mallory:
        mallory.socket.transport.pause_reading()
        ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True)
        for _ in range(400):
            mallory.socket.transport.write(ping * 1_000)
            await asyncio.sleep(0)
        await eventually(lambda: not place.service.present_count("tavern"), seconds=60)


async def test_who_has_much_to_read_may_go_on_sending(tmp_path: Path) -> None:
    """A long history may wait in the buffer as one piece, beyond `send_buffer`; what its reader sends meanwhile ends nothing."""
    limits = {"send_buffer": 65_536, "bytes_per_second": 10**9, "frames_per_second": 10**6, "burst": 10**6, "in_flight": 1_000}
    async with gateway(tmp_path, web={"limits": limits, "first_messages": 500}, limits={"history_length": 1_000}) as place:
        async with place.member("bob") as bob:
            for _ in range(450):
                await bob.say("x" * 15_900)
        async with place.connection(max_size=None, ping_interval=None) as ann:
            await ann.hello(name="ann")
            ann.socket.transport.pause_reading()
            await ann.send("join", {"channel_id": "tavern"})
            await eventually(lambda: place.service.present_count("tavern"))
            for _ in range(20):
                await ann.send("ping")
                await ann.socket.ping()
                await asyncio.sleep(0.01)
            ann.socket.transport.resume_reading()
            assert (await ann.ask("ping"))["type"] == "pong"
            history = next(frame["body"] for frame in ann.frames if frame["type"] == "history")
            assert len(history["messages"]) > 400


async def test_those_who_ask_for_nothing_are_limited_and_end(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"connections_per_address": 5, "first_frame_seconds": 3}}) as place, AsyncExitStack() as stack:
        host, port = place.address.removeprefix("http://").rstrip("/").split(":")
        silent = []
        for _ in range(8):
            reader, writer = await asyncio.open_connection(host, int(port))
            stack.callback(_abort, writer)
            silent.append(reader)
        ended = await asyncio.gather(*(_ends(reader) for reader in silent[5:]))
        assert all(ended)
        assert not silent[0].at_eof()
        assert all(await asyncio.gather(*(_ends(reader) for reader in silent[:5])))
        async with place.member("ann") as ann:
            assert (await ann.say("there is room again"))["body"]["ok"]


async def _ends(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(20):
            return await reader.read() == b""
    except ConnectionError:
        return True


def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
