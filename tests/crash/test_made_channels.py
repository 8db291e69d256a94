"""Channels made, renamed, archived, deleted and made again at random under load, and processes killed with SIGKILL meanwhile.

Nothing that was acknowledged is lost or doubled, no event happens in a channel that is not there, and an id that is given again has nothing of
the channel that had it before. MOORING_CHANNEL_ROUNDS says how many kills.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from mooring.control.client import NoAnswer, ask
from tests.process_for_tests import Member, Process, start, write_configs
from tests.shared.ports_for_tests import start_valkey

ROUNDS = int(os.environ.get("MOORING_CHANNEL_ROUNDS", "1"))
CHANNELS = 5
PLUGINS = str(Path(__file__).parent / "plugins")
GONE = (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, NoAnswer)
"""What a process that was killed looks like to those who were talking to it."""


@dataclass
class Kept:
    """What is known of one channel: the notes that were acknowledged, and those that may be there."""

    acknowledged: list[int] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)

    def check(self, found: list[int]) -> None:
        assert len(set(found)) == len(found), f"doubled: {found}"
        assert not set(self.acknowledged) - set(found), f"lost: {sorted(set(self.acknowledged) - set(found))}"
        assert not set(found) - set(self.acknowledged) - self.doubtful, "never sent here"
        self.acknowledged, self.doubtful = list(found), set()


@dataclass
class Channel:
    """One id, and what it has been given to so far. `state` is None while it is not known."""

    id: str
    state: str | None = "absent"
    kept: Kept = field(default_factory=Kept)
    deleted: list[Kept] = field(default_factory=list)
    doubt: str = ""
    """The change that may have been made."""


class Storm:
    """All that goes on; `processes` serve the channels."""

    numbers = itertools.count(1)

    def __init__(self, processes: list[tuple[Path, Process]], channels: list[Channel], chance: random.Random) -> None:
        self.processes = processes
        self.channels = channels
        self.chance = chance
        self.notes = 0

    async def change(self, channel: Channel, command: str, **fields: Any) -> bool:
        """Ask for a change at some process; false if it was refused. Raises one of GONE."""
        folder, _ = self.chance.choice(self.processes)
        channel.doubt = command
        response = await asyncio.to_thread(ask, folder / "data", "1", f"channel {command}", {"channel_id": channel.id, **fields})
        if response is None:
            raise NoAnswer("nobody is there")
        assert response.failure in {None, "refused", "failed"}, response
        if response.failure == "failed":  # the process is about to be killed, or on its way up
            raise NoAnswer(response.message)
        channel.doubt = ""
        return response.ok

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Member]:
        _, process = self.chance.choice(self.processes)
        async with connect(process.address.replace("http", "ws", 1) + "ws", proxy=None) as socket:
            member = Member(socket)
            await member.hello(name=f"visitor-{next(self.numbers)}")
            yield member

    async def live(self, channel: Channel) -> None:
        """Do things to one channel until its process is gone."""
        while True:
            if channel.state == "absent":
                bring_back = bool(channel.deleted) and self.chance.random() < 0.3
                assert await self.change(channel, "open" if bring_back else "create")
                channel.state, channel.kept = "open", channel.deleted.pop() if bring_back else Kept()
            async with self.visitor() as visitor:
                await self.note(visitor, channel)
                match self.chance.choice(["rename", "archive", "delete", "delete"]):
                    case "rename":
                        assert await self.change(channel, "update", name=f"Name {next(self.numbers)}")
                    case "archive":
                        assert await self.change(channel, "archive")
                        channel.state = "archived"
                        await self.must_be_shut(visitor, channel)
                        assert await self.change(channel, "open")
                        channel.state = "open"
                    case "delete":
                        assert await self.change(channel, "delete")
                        channel.state = "absent"
                        channel.deleted.append(channel.kept)
                        await self.must_be_shut(visitor, channel)

    async def note(self, visitor: Member, channel: Channel) -> None:
        answer: dict[str, Any] = {"type": "error"}
        while answer["type"] == "error":  # another process made it, and this one opens it in a moment
            answer = await visitor.ask("join", {"channel_id": channel.id})
            await asyncio.sleep(0)
        for _ in range(self.chance.randrange(1, 6)):
            number = next(self.numbers)
            channel.kept.doubtful.add(number)
            answer = await visitor.say(f"/note {number}", channel.id)
            if answer["type"] == "ack" and answer["body"]["ok"]:
                channel.kept.doubtful.discard(number)
                channel.kept.acknowledged.append(number)
                self.notes += 1

    async def must_be_shut(self, visitor: Member, channel: Channel) -> None:
        """Whoever was in the channel when it was closed, in whichever process, does nothing there any more."""
        answer = await visitor.say(f"/note {next(self.numbers)}", channel.id)
        assert answer["type"] == "error" or not answer["body"]["ok"], f"{channel.id} took an event after it was closed: {answer}"

    async def settle(self, channel: Channel) -> None:
        """After a kill: find out what became of the change that was on its way, and look at what is kept."""
        folder, _ = self.processes[0]
        response = await asyncio.to_thread(ask, folder / "data", "1", "channel list", {})
        assert response is not None and response.ok
        states = [line["state"] for line in response.result if line["id"] == channel.id]
        here = next((state for state in states if state != "deleted"), "absent")
        expected = {channel.state} if not channel.doubt else {channel.state, *AFTER[channel.doubt]}
        assert here in expected, (channel, here)
        deleted = states.count("deleted")
        if here == "absent" and channel.state != "absent":
            channel.deleted.append(channel.kept)
        elif here != "absent" and channel.state == "absent":
            channel.kept = channel.deleted.pop() if channel.doubt == "open" else Kept()
        assert deleted == len(channel.deleted), (channel, states)
        channel.state, channel.doubt = here, ""
        if here == "archived":
            assert await self.change(channel, "open")
            channel.state = "open"
        if channel.state == "open":
            await self.look(channel)

    async def look(self, channel: Channel) -> None:
        async with self.visitor() as visitor:
            answer: dict[str, Any] = {"type": "error"}
            while answer["type"] == "error":
                answer = await visitor.ask("join", {"channel_id": channel.id})
                await asyncio.sleep(0.01)
            assert (await visitor.say("/notes", channel.id))["body"]["ok"]
            found = next(text for text in reversed(visitor.texts()) if text.startswith("notes"))
            channel.kept.check([int(word) for word in found.split()[1:]])


AFTER = {"create": ["open"], "update": ["open"], "archive": ["archived"], "open": ["open"], "delete": ["absent"]}


async def storm(folders: list[Path], options: list[list[str]]) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    channels = [Channel(f"club {number}") for number in range(CHANNELS)]
    processes = [(folder, await start(folder, *each)) for folder, each in zip(folders, options, strict=True)]
    notes = 0
    for _ in range(ROUNDS):
        here = Storm(processes, channels, chance)
        lives = [asyncio.ensure_future(_until_gone(here.live, channel)) for channel in channels]
        await asyncio.wait(lives, timeout=chance.uniform(0.3, 1.5))
        victim = chance.randrange(len(processes))
        processes[victim][1].kill()
        await asyncio.wait(lives, timeout=10)  # those who talk to another process go on until it is over
        for life in lives:
            life.cancel()
        for result in await asyncio.gather(*lives, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError), repr(result)
        for number, (_, process) in enumerate(processes):
            with suppress(ProcessLookupError):  # of those that were killed before
                process.kill()
            await process.wait()
            processes[number] = (folders[number], await start(folders[number], *options[number]))
            assert processes[number][1].line.startswith("Mooring is at"), await processes[number][1].end()
        again = Storm(processes, channels, chance)
        for channel in channels:
            await asyncio.wait_for(again.settle(channel), 60)
        notes += here.notes
    for _, process in processes:
        code, log = await process.end()
        assert code == 0, log
    assert notes > 0, "nothing was going on"


async def _until_gone(live: Callable[[Channel], Awaitable[None]], channel: Channel) -> None:
    try:
        await live(channel)
    except GONE:
        return


@pytest.mark.slow
async def test_one_process_on_files(tmp_path: Path) -> None:
    options = write_configs(tmp_path, plugins=["help", "notes", _web()], plugin_folders=[PLUGINS])
    await storm([tmp_path], [options])


@pytest.mark.slow
@pytest.mark.redis
async def test_two_processes_on_redis(tmp_path: Path) -> None:
    server = start_valkey()
    dicts = [{"implementation": "redis", "name": name, "settings": {"port": int(server.port)}} for name in ("health_bars", "mana_bars")]
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    options = [write_configs(folder, db=dicts, plugins=["help", "notes", _web()], plugin_folders=[PLUGINS]) for folder in folders]
    try:
        await storm(folders, options)
    finally:
        server.terminate()


def _web() -> dict[str, Any]:
    return {"name": "web", "config": {"limits": {"connections_per_address": 1000, "frames_per_second": 10_000, "burst": 100_000}}}
