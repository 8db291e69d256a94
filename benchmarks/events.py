"""What one event costs, and whether that grows with members or channels: `python -m benchmarks.events [--quick]`.

`/hit @user 1` of the plugin `bars`, every commit synced to the disk, no sockets. What counts is the processor time of the whole process, all
of its threads together. A gateway is attached that takes everything and passes on nothing, so that all is made that a page would be
sent. Each measurement is a process of its own; the settings take turns within a round, and medians are over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.aims import Aim
from benchmarks.tables import print_aims
from mooring import Abilities, Acknowledgement, Answer, ChannelService, Down, Later, MessageBody, MessageContent, Post, SimpleAction, UpEvent

SETTINGS = [(50, 5, 0), (10, 5, 0), (1, 5, 0), (1, 5, 3), (1, 100, 0), (1, 1_000, 0), (1, 5_000, 0)]
"""Channels, members of each, and rooms of another network to which each channel is bound."""
PACES = {"one by one": 1, "50 at once": 50}
"""How many events are on their way at a time."""
JOIN = "a join"

Setting = tuple[int, int, int]
Samples = dict[Setting, dict[str, list[float]]]
"""Setting -> what is done -> microseconds for each event, one sample a round."""


class Sink:
    """A gateway whose network nobody uses."""

    address = ""
    kinds = None

    def stop_accepting(self) -> None: ...

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None: ...


class Away:
    """A network that cannot be reached: what goes to its rooms waits, and costs what it costs on the event's own path."""

    network = "away"
    address = ""

    def stop_accepting(self) -> None: ...

    def abilities(self, room: str) -> Abilities:
        return Abilities()

    async def send(self, room: str, post: Post, key: str) -> Answer:
        return Later(3600)

    async def find(self, room: str, key: str) -> str | Later | None:
        return None


class Crowd:
    """A service with members, who act from within this process."""

    def __init__(self, folder: Path, channels: int, members: int, rooms: int) -> None:
        self._channels = [f"channel-{number}" for number in range(channels)]
        self._members = members
        self._numbers = itertools.count()
        self.service = ChannelService(
            service_config={
                "channels": [{"id": channel_id, "rooms": [f"away/{channel_id}-{room}" for room in range(rooms)]} for channel_id in self._channels],
                "plugins": ["bars"],
                "limits": {"outbox_length": 1_000_000, "outbox_bytes": 1_000_000_000},
            },
            db_config=[{"implementation": "json", "name": name, "settings": {"root_dir": str(folder)}} for name in ("health_bars", "mana_bars")],
        )
        self.service.attach(Sink())
        self.service.attach(Away())

    async def gather(self) -> None:
        """Let everybody in."""
        for first in range(0, self._members, 500):
            members = range(first, min(first + 500, self._members))
            await asyncio.gather(*(self.join(channel_id, member) for channel_id in self._channels for member in members))

    async def hit(self, events: int, at_once: int) -> None:
        """Let members hit each other, in all channels by turns."""
        for _ in range(0, events, at_once):
            for answer in await asyncio.gather(*(self._hit(next(self._numbers)) for _ in range(at_once))):
                assert answer.ok, answer

    def join(self, channel_id: str, member: int) -> asyncio.Future[Acknowledgement]:
        """Let somebody in; the member hears who is there, as by any gateway."""
        member_id = f"m{member}"
        body = SimpleAction("join", channel_id, member_id, {"name": f"user{member}"})
        return self.service.enqueue(UpEvent("join", f"j{next(self._numbers)}", channel_id, member_id, body))

    async def come_and_go(self, times: int) -> None:
        """Let newcomers in, one after the other, who are shown the channel."""
        channel_id = self._channels[0]
        for number in range(self._members, self._members + times):
            await self.join(channel_id, number)
            self.service.current(channel_id, f"m{number}")

    def _hit(self, number: int) -> asyncio.Future[Acknowledgement]:
        channel_id, member_id = self._channels[number % len(self._channels)], f"m{number * 7 % self._members}"
        body = MessageBody("text", channel_id, MessageContent(text="/hit @user1 1"))
        return self.service.enqueue(UpEvent("message_up", f"r{number}", channel_id, member_id, body))


async def measure(channels: int, members: int, rooms: int, events: int) -> dict[str, float]:
    """Microseconds of processor time for each event, by what is done."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        crowd = Crowd(Path(folder), channels, members, rooms)
        await crowd.service.start()
        await crowd.gather()
        found = {}
        for pace, at_once in PACES.items():
            await crowd.hit(200, at_once)
            began = time.process_time()
            await crowd.hit(events, at_once)
            found[pace] = (time.process_time() - began) / events * 1e6
        began = time.process_time()
        await crowd.come_and_go(events // 10)
        found[JOIN] = (time.process_time() - began) / (events // 10) * 1e6
        await crowd.service.stop()
    return found


def take_turns(rounds: int, events: int) -> Samples:
    """Measure all settings, in turns."""
    samples: Samples = {}
    for _ in range(rounds):
        for setting in SETTINGS:
            command = [sys.executable, "-m", "benchmarks.events", "--one", *map(str, setting), str(events)]
            found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            for name, microseconds in found.items():
                samples.setdefault(setting, {}).setdefault(name, []).append(microseconds)
    return samples


def aims_of(samples: Samples) -> list[Aim]:
    """How far it got."""
    middle = {setting: {name: statistics.median(each) for name, each in by_name.items()} for setting, by_name in samples.items()}
    aims = [Aim(f"{name}: 5,000 members, times 5", middle[1, 5_000, 0][name] / middle[1, 5, 0][name], 1.2, at_least=False) for name in PACES]
    # Whoever comes in is told of a hundred in any case, and of five where there are no more.
    aims.append(Aim(f"{JOIN}: 5,000 members, times 100", middle[1, 5_000, 0][JOIN] / middle[1, 100, 0][JOIN], 1.2, at_least=False))
    aims.append(Aim("50 at once: three rooms, times none", middle[1, 5, 3]["50 at once"] / middle[1, 5, 0]["50 at once"], 1.3, at_least=False))
    one, ten = (middle[channels, 5, 0]["50 at once"] for channels in (1, 10))
    return [*aims, Aim("50 at once: one channel, times ten", one / ten, 1.3, at_least=False)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--one", nargs=4, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(asyncio.run(measure(*given.one))))
        return
    samples = take_turns(1, 1_000) if given.quick else take_turns(5, 3_000)
    console = Console(width=140)
    table = Table(title="Microseconds of processor time for each event, medians")
    for column in ("channels", "members of each", "rooms of each", *PACES, JOIN):
        table.add_column(column, justify="right")
    for (channels, members, rooms), by_name in samples.items():
        table.add_row(str(channels), f"{members:,}", str(rooms), *(f"{statistics.median(by_name[name]):,.0f}" for name in (*PACES, JOIN)))
    console.print(table)
    print_aims(console, aims_of(samples), "Aims of one event")


if __name__ == "__main__":
    main()
