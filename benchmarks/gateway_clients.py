"""The members of the gateway benchmark, in a process of their own: `python -m benchmarks.gateway_clients KIND URL MEMBERS CHANNELS SECONDS`.

KIND is `echo`, `frames` (hello, join, then one command after the other), `paced` (the same, a few a second) or `fan-out` (all listen,
one speaks). Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect

FRAME = '{"type":"message_up","request_id":"%s","body":{"channel_id":"%s","content":{"text":"%s"}}}'
RoundTrip = Callable[[int], Awaitable[None]]


async def ask(socket: ClientConnection, frame: str) -> str:
    """Send a frame, again while the channel is busy, and wait for its acknowledgement or welcome; what else comes is dropped."""
    await socket.send(frame)
    while True:
        answer = str(await socket.recv())
        if answer.startswith('{"type":"error"'):
            assert '"retry":true' in answer, answer
            await asyncio.sleep(0.02)
            await socket.send(frame)
        elif answer.startswith(('{"type":"ack"', '{"type": "ack"', '{"type":"welcome"')):
            return answer


async def enter(url: str, member: int, channel: str, address: str = "") -> ClientConnection:
    """Come in, from an address that a proxy would have told."""
    headers = {"X-Forwarded-For": address or f"198.51.100.{member % 250}"}
    socket = await connect(url, compression=None, proxy=None, max_size=None, ping_interval=None, additional_headers=headers)
    if not url.endswith("ws"):
        return socket
    await ask(socket, json.dumps({"type": "hello", "request_id": "h", "body": {"name": f"member{member}"}}))
    await ask(socket, json.dumps({"type": "join", "request_id": "j", "body": {"channel_id": channel}}))
    return socket


async def echo_round_trip(socket: ClientConnection, _: str, number: int) -> None:
    await socket.send(FRAME % (number, "channel-0", "/count"))
    await socket.recv()


async def command_round_trip(socket: ClientConnection, channel: str, number: int) -> None:
    await ask(socket, FRAME % (f"{number}-{id(socket)}", channel, "/count"))


async def live(socket: ClientConnection, channel: str, one: Callable[[ClientConnection, str, int], Awaitable[None]], until: float) -> list[float]:
    times = []
    number = 0
    while (began := time.perf_counter()) < until:
        number += 1
        await one(socket, channel, number)
        times.append(time.perf_counter() - began)
    return times


async def round_trips(kind: str, url: str, members: int, channels: int, seconds: float) -> dict[str, float]:
    """All members give one command after the other."""
    sockets = [await enter(url, member, f"channel-{member % channels}") for member in range(members)]
    one = echo_round_trip if kind == "echo" else command_round_trip
    await asyncio.gather(*(live(each, f"channel-{at % channels}", one, time.perf_counter() + 0.5) for at, each in enumerate(sockets)))
    until = time.perf_counter() + seconds
    times = [
        each
        for part in await asyncio.gather(*(live(each, f"channel-{at % channels}", one, until) for at, each in enumerate(sockets)))
        for each in part
    ]
    for socket in sockets:
        socket.transport.abort()
    times.sort()
    return {"rate": len(times) / seconds, "p50": statistics.median(times), "p99": times[int(len(times) * 0.99)]}


async def paced(url: str, members: int, channels: int, seconds: float) -> dict[str, float]:
    """Members who give a command now and then, at moments of their own; median and p99 by channel."""
    sockets = [await enter(url, member, f"channel-{member % channels}") for member in range(members)]
    rng = random.Random(1)

    async def now_and_then(socket: ClientConnection, channel: str) -> list[float]:
        times: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            await asyncio.sleep(rng.uniform(0.05, 0.15))
            began = time.perf_counter()
            await command_round_trip(socket, channel, len(times))
            times.append(time.perf_counter() - began)
        return times

    found = await asyncio.gather(*(now_and_then(socket, f"channel-{at % channels}") for at, socket in enumerate(sockets)))
    result: dict[str, float] = {}
    for place in range(channels):
        times = sorted(each for part in found[place::channels] for each in part)
        result |= {f"p50 of channel-{place}": statistics.median(times), f"p99 of channel-{place}": times[int(len(times) * 0.99)]}
    return result


async def fan_out(url: str, members: int, rounds: int) -> dict[str, float]:
    """Seconds until everybody has one message, by the median of some rounds."""
    sockets = [await enter(url, member, "channel-0") for member in range(members)]
    await asyncio.sleep(3)  # until the lists of members have come
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        mark = f"round {number} "
        message = f"!{mark}" + "x" * 200 if not url.endswith("ws") else FRAME % (f"f{number}", "channel-0", f"/say {mark}" + "x" * 60)
        waiting = [asyncio.create_task(hear(socket, mark)) for socket in sockets]
        await sockets[0].send(message)
        await asyncio.gather(*waiting)
        times.append(time.perf_counter() - began)
    for socket in sockets:
        socket.transport.abort()
    return {"p50": statistics.median(times), "p99": max(times)}


async def hear(socket: ClientConnection, mark: str) -> None:
    while mark not in str(await socket.recv())[:600]:
        pass


async def idle(url: str, members: int) -> dict[str, float]:
    """Come in and wait for the word to go."""
    sockets = [await enter(url, member, f"channel-{member % 10}") for member in range(members)]
    print(json.dumps({"here": len(sockets)}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return {}


if __name__ == "__main__":
    what, address, people, places, duration = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    if what == "fan-out":
        result = asyncio.run(fan_out(address, people, int(duration)))
    elif what == "paced":
        result = asyncio.run(paced(address, people, places, duration))
    elif what == "idle":
        result = asyncio.run(idle(address, people))
    else:
        result = asyncio.run(round_trips(what, address, people, places, duration))
    print(json.dumps(result))
