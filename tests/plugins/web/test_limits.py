"""What happens to those who use too much: a frame that says so, and nothing for the others to notice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from mooring.plugins.web.config import Config, OpenToAll
from mooring.plugins.web.connection_count import ConnectionCount
from tests.plugins.web.harness import Client, gateway


async def until_closed(client: Client) -> int:
    with pytest.raises(ConnectionClosed):
        while True:
            await client.next()
    assert client.socket.close_code is not None
    return client.socket.close_code


def test_addresses_without_connections_are_forgotten() -> None:
    count = ConnectionCount(in_all=3, by_address=2)
    for _ in range(2):
        count.enter("a")
    assert "your address" in count.refusal("a")
    assert not count.refusal("b")
    count.enter("b")
    assert "as many connections" in count.refusal("c")
    for address in ("a", "a", "b"):
        count.leave(address)
    assert len(count) == 0
    assert not count.refusal("a")


async def test_too_fast_is_told_and_waits_for_no_one_else(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, web={"limits": {"burst": 5, "frames_per_second": 50}}) as place,
        place.member("ann") as ann,
        place.member("bob") as bob,
    ):
        requests = [await ann.send("ping") for _ in range(20)]
        answers = [await ann.answer(request) for request in requests]
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert refused
        assert {(answer["body"]["code"], answer["body"]["retry"]) for answer in refused} == {("too_fast", True)}
        assert (await bob.say("unhurried"))["body"]["ok"]
        await asyncio.sleep(0.2)
        assert (await ann.ask("ping"))["type"] == "pong"
        assert await place.metric('mooring_frames_refused_total{code="too_fast"}') == len(refused)


async def test_who_does_not_listen_to_refusals_is_cut_off(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"burst": 1, "frames_per_second": 0.001}}) as place, place.connection() as client:
        for _ in range(300):
            await client.socket.send("[]")
        assert await until_closed(client) == 1008


async def test_large_frames_are_refused_and_huge_ones_end_the_connection(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"frame_size": 2_000}}) as place, place.member("ann") as ann:
        await ann.socket.send(json.dumps({"type": "ping", "request_id": "a", "body": {}, "padding": "x" * 3_000}))
        assert (await ann.answer("a"))["body"]["code"] == "too_large"
        assert (await ann.say("still here"))["body"]["ok"]
        await ann.socket.send("x" * 100_000)
        assert await until_closed(ann) == 1009


async def test_who_says_no_hello_in_time_is_cut_off(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"first_frame_seconds": 0.2}}) as place, place.connection() as client:
        assert (await client.answer(None))["body"]["code"] == "no_hello"
        assert await until_closed(client) == 1008


async def test_idle_members_are_let_go_and_pings_keep_them(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"idle_seconds": 0.6}}) as place, place.member("ann") as ann, place.member("bob") as bob:
        for _ in range(6):
            await asyncio.sleep(0.2)
            assert (await bob.ask("ping"))["type"] == "pong"
        assert (await ann.answer(None))["body"]["code"] == "idle"
        assert await until_closed(ann) == 1000


async def test_a_reader_who_does_not_read_is_dropped_and_may_resume(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"send_buffer": 65_536}}, limits={"history_length": 5_000}) as place, place.member("bob") as bob:
        async with place.member("ann", max_queue=1) as ann:
            ann.socket.transport.pause_reading()
            for _ in range(8):
                await bob.say("/flood 100 10000")
            assert await place.metric('mooring_connections_closed_total{reason="slow_reader"}') == 1
            assert await place.metric('mooring_members_online{channel="tavern"}') == 1
            ann.socket.transport.abort()
        floods = [text for text in bob.texts() if text.endswith("xxx")]
        assert len(floods) == 800, "the others got everything"


async def test_more_events_than_a_channel_takes_are_answered_busy(tmp_path: Path) -> None:
    limits = {"queue_length": 3}
    async with gateway(tmp_path, limits=limits, stop_timeout=0.1) as place, place.member("ann") as ann:
        await ann.send("message_up", {"channel_id": "tavern", "content": {"text": "/nap 60"}})
        requests = [await ann.send("message_up", {"channel_id": "tavern", "content": {"text": f"word {number}"}}) for number in range(8)]
        answer = await ann.answer(requests[-1])
        assert (answer["body"]["code"], answer["body"]["retry"]) == ("busy", True)


async def test_a_full_channel_takes_nobody_new_but_those_who_belong_to_it(tmp_path: Path) -> None:
    async with gateway(tmp_path, web={"limits": {"members_per_channel": 1}}) as place:
        async with place.member("ann") as ann, place.connection() as bob:
            await bob.hello(name="bob")
            assert (await bob.ask("join", {"channel_id": "tavern"}))["body"]["code"] == "channel_full"
        async with place.returning(ann.welcome["token"]):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "chat.example"])
def test_the_network_is_not_let_in_by_accident(host: str) -> None:
    with pytest.raises(OpenToAll, match=r"--allow-open"):
        Config(host=host).check_exposure(["tavern"])
    Config(host=host, allow_open=True).check_exposure(["tavern"])
    Config(host=host).check_exposure([])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_let_in(host: str) -> None:
    Config(host=host).check_exposure(["tavern"])
