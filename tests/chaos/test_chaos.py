"""Plugins that do all that they should not, beside one that members play with, in a real process.

MOORING_CHAOS_SECONDS says for how long, MOORING_CHAOS_SEED which of many such runs it is.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mooring import Bar
from storage import CachedDict, JSONDatabase
from tests.process_for_tests import Member, Process, member, start, write_configs

SECONDS = float(os.environ.get("MOORING_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("MOORING_CHAOS_SEED", "1"))
PLAYERS = 10
TROUBLEMAKERS = 10
CHANNELS = ("mine", "other", "third")
PLUGINS = Path(__file__).parent / "plugins"
HEALTH = 1_000_000
STOP_TIMEOUT = 3.0
PEACE = 0.25
"""The part of the time in which nobody makes trouble yet, for comparison."""

FAULTS = ["stop", "async-stop", "exit", "argparse", "interrupt", "generator", "cancelled", "group", "memory", "recursion", "plain"]
LINES = [
    *(f"/{name} {what}" for name in ("thrown", "raised", "inner") for what in FAULTS),
    *(f"/send {what}" for what in ("lone", "canvas", "object", "long", "many")),
    *(f"/reach {what}" for what in ("elsewhere", "own", "write", "after", "leaked", "loop", "later")),
    *("/hang", "/swallow", "/cancel", "/thread", "hello"),
]
BLOCKING = ["/block", "/block", "/block", "/spin"]
"""What no framework can keep from the others, as long as it lasts: a few times in a run."""


class Player:
    """Hits somebody again and again, and remembers whom, and how long each acknowledgement took."""

    def __init__(self, one: Member, names: Sequence[str], seed: int) -> None:
        self._member = one
        self._names = names
        self._random = random.Random(seed)
        self.hits: Counter[str] = Counter()
        self.times: list[float] = []

    async def play(self, until: float) -> list[float]:
        """The seconds that each hit took."""
        times: list[float] = []
        while time.monotonic() < until:
            name, amount = self._random.choice(self._names), self._random.randint(1, 3)
            began = time.monotonic()
            answer = await self._member.say(f"/hit @{name} {amount}")
            times.append(time.monotonic() - began)
            assert answer["body"]["ok"], answer
            self.hits[name] += amount
            self._member.frames.clear()  # a heap that grows for minutes makes its own pauses
            await asyncio.sleep(self._random.uniform(0.01, 0.05))
        return times


async def make_trouble(one: Member, channel: str, seed: int, until: float) -> Counter[str]:
    """How often each line was sent, whatever came of it."""
    chance = random.Random(seed)
    sent: Counter[str] = Counter()
    while time.monotonic() < until:
        line = chance.choice(LINES)
        sent[line] += 1
        await ignore(one, line, channel, chance.uniform(0.2, 1.5))
        one.frames.clear()
        await asyncio.sleep(chance.uniform(0, 0.1))
    return sent


async def block(one: Member, channel: str, seconds: float) -> None:
    for line in BLOCKING:
        await asyncio.sleep(seconds / (len(BLOCKING) + 1))
        await ignore(one, line, channel, 5)


async def ignore(one: Member, line: str, channel: str, patience: float) -> None:
    """Say something, and do not wait for its answer for longer than this."""
    try:
        async with asyncio.timeout(patience):
            await one.say(line, channel)
    except TimeoutError:
        pass


@asynccontextmanager
async def crowd(address: str, names: Sequence[str], *channels: str) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        places = itertools.cycle(channels)
        yield [await stack.enter_async_context(member(address, next(places), name=name)) for name in names]


async def run(process: Process) -> tuple[Counter[str], dict[str, float], Counter[str]]:
    """The health that was taken from each player, the 99th percentiles of a hit in peace and in chaos, and what trouble was made."""
    names = [f"player{number}" for number in range(PLAYERS)]
    trouble = [f"trouble{number}" for number in range(TROUBLEMAKERS + 1)]
    async with crowd(process.address, names, "tavern") as playing, crowd(process.address, trouble, *CHANNELS) as troubling:
        players = [Player(one, names, SEED + number) for number, one in enumerate(playing)]
        peace = time.monotonic() + PEACE * SECONDS
        quiet = await asyncio.gather(*(player.play(peace) for player in players))
        until = time.monotonic() + (1 - PEACE) * SECONDS
        *blocking, last = [(one, CHANNELS[number % len(CHANNELS)]) for number, one in enumerate(troubling)]
        makers = [make_trouble(one, channel, SEED + 100 + number, until) for number, (one, channel) in enumerate(blocking)]
        loud, made, _ = await asyncio.gather(
            asyncio.gather(*(player.play(until) for player in players)),
            asyncio.gather(*makers),
            block(*last, (1 - PEACE) * SECONDS),
        )
    taken = sum((player.hits for player in players), Counter())
    return taken, {"in peace": percentile(quiet), "in chaos": percentile(loud)}, sum(made, Counter())


def percentile(times: Sequence[Sequence[float]]) -> float:
    found = sorted(itertools.chain.from_iterable(times))
    return found[int(len(found) * 0.99)]


def config(tmp_path: Path) -> list[str]:
    bars = {"name": "bars", "config": {"health": {"maximum": HEALTH}}}
    limits = {"handler_seconds": 0.7, "blocking_seconds": 0.2}
    web = {"name": "web", "config": {"limits": {"frames_per_second": 1000, "burst": 10_000, "connections_per_address": 100}}}
    return write_configs(
        tmp_path,
        plugins=[bars, "chaos", web],
        channels=["tavern", *CHANNELS],
        plugin_folders=[str(PLUGINS)],
        limits=limits,
        stop_timeout=STOP_TIMEOUT,
    )


def kept(tmp_path: Path, channel: str) -> dict[str, Any]:
    """The health that is on disk, by member id; of a key that is none of a member, the value."""
    (folder,) = (tmp_path / "json_db").glob("service_*")
    database = JSONDatabase(f"{folder.name}.channel_{channel}.health_bars", tmp_path / "json_db")
    try:
        return CachedDict(database).copy()
    finally:
        database.close()


@pytest.mark.slow
async def test_a_channel_loses_nothing_whatever_other_plugins_do(tmp_path: Path) -> None:
    process = await start(tmp_path, *config(tmp_path))
    assert process.process.stderr is not None
    logging = asyncio.create_task(process.process.stderr.read())  # or the service would wait for somebody who reads it
    taken, percentiles, made = await run(process)
    async with httpx.AsyncClient(trust_env=False) as client:
        health = (await client.get(f"{process.address}readyz")).json()
    async with crowd(process.address, ["last"], "mine") as (one,):
        await one.ask("message_up", {"channel_id": "mine", "subtype": "text", "content": {"text": "/hit @last 1"}})
        for line in ("/swallow", "/thread", "/hang"):
            await ignore(one, line, "mine", 0.1)
        began = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        code = await process.process.wait()
        stopping = time.monotonic() - began
    log = (await logging).decode()
    print(f"seed {SEED}: {sum(taken.values())} points taken, {sum(made.values())} faults, {len(log.splitlines())} lines of log")
    print(f"99 % of the hits within {percentiles['in peace'] * 1e3:.1f} ms in peace, and {percentiles['in chaos'] * 1e3:.1f} ms in chaos,")
    print(f"{percentiles['in chaos'] / percentiles['in peace']:.2f} times as long; the stop took {stopping:.2f} s")
    assert code == 0, log
    assert stopping < STOP_TIMEOUT + 1 + 2, "a stop takes stop_timeout and a second, and two more for the system to end the process"
    lost = sorted(HEALTH - bar.value for bar in kept(tmp_path, "tavern").values() if isinstance(bar, Bar))
    assert [points for points in lost if points] == sorted(taken.values())
    for channel in CHANNELS:
        assert "spent" not in kept(tmp_path, channel)
    named = set(re.findall(r"chaos(?:: |\.)(/\w+|tick|due\w*|on_\w+)", log))
    assert named >= {"/thrown", "/raised", "/inner", "/send", "/hang", "/swallow", "/spin", "tick", "on_message_up", "on_join"}, named
    assert health["problems"], "the handlers that were left alone are named"
