"""What is lost and what is doubled: the commands of some members against a bot that is killed, and what it says after each start."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

LONGEST_WAIT = 0.02
"""A kill comes up to this many seconds after the command that it was drawn for: anywhere in the work on the commands in hand."""

STEP = 100
"""A command counts on by this many, so that entries grow in length as those of real bots do: an entry that never does hides what dbm.dumb loses."""


class Gone(Exception):
    """The bot's process has ended, so no answer will come."""


class Unreadable(Exception):
    """The bot does not start on what it has kept, or answers a command with an error."""


class Bot(Protocol):
    """A counter bot in a process of its own, over a folder that outlives it."""

    async def start(self) -> None:
        """Start the process and come back when it takes commands. Raises `Unreadable`."""

    def say(self, member: str, command_id: str, by: int, times: int) -> AsyncIterator[int | None]:
        """Give `/count by` so many times under one id; the count of each answer, None if it came without one. Raises `Gone` or `Unreadable`."""

    async def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""

    def clear(self) -> None:
        """Take away what cannot be read, as its operator has to."""


@dataclass
class Result:
    """What one bot did. `lost` and `doubled` are in commands; one that was doubled and then lost is in both."""

    commands: int = 0
    sent_twice: int = 0
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unreadable: int = 0


@dataclass
class Ledger:
    """One member's: what the bot promised in this life, to be held against what the next one finds."""

    base: int = 0
    due: int = 0
    told: int = 0
    pending: bool = False
    settled: bool = False
    """The command that is pending is already in `base`: it was done, and only its answer was cut off."""

    def hear(self, count: int | None) -> None:
        self.told = max(self.told, count or 0)

    def acknowledge(self) -> None:
        self.due += not self.settled
        self.pending = self.settled = False

    def compare(self, count: int, result: Result) -> None:
        """Close a life with the count that was found after it. A pending command may be in it or not: either is right."""
        promised = max(self.told, self.base + self.due)
        doubled = promised - self.base - self.due
        unheard = max(0, count - promised)
        if self.pending and not self.settled and unheard:
            self.settled = True
            unheard -= 1
        lost = max(0, promised - count)
        if lost and self.settled:  # the command that is pending went with the rest, and it was never acknowledged
            self.settled = False
            lost -= 1
        result.lost += lost
        result.doubled += doubled + unheard
        self.base = self.told = count
        self.due = 0


@dataclass
class Run:
    """All members' commands against one bot. The same seed gives the same commands and kills."""

    bot: Bot
    result: Result
    marks: list[int]
    waits: random.Random
    queues: dict[str, list[tuple[str, int]]]
    ledgers: dict[str, Ledger]
    report: Callable[[str], None]
    reads: int = 0
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def all(self) -> Result:
        """One life after the other; the last kill comes when everything was answered."""
        while True:
            await self._start()
            if not any(self.queues.values()) and not self.marks:
                await self.bot.kill()
                return self.result
            await self._live()

    async def _start(self) -> None:
        """Start, and hold what members are told now against what they were told before."""
        try:
            await self.bot.start()
            counts = {member: await self._read(member) for member in self.ledgers}
        except Unreadable as unreadable:
            await self._give_up(unreadable)
            await self.bot.start()
            return
        for member, count in counts.items():
            self.ledgers[member].compare(count, self.result)

    async def _read(self, member: str) -> int:
        self.reads += 1
        async for count in self.bot.say(member, f"read-{self.reads}", 0, 1):
            if count is not None:
                return count // STEP
        raise Unreadable("no count was told")

    async def _give_up(self, unreadable: Unreadable) -> None:
        self.report(f"unreadable: {unreadable}")
        self.result.unreadable += 1
        await self.bot.kill()
        self.bot.clear()
        for ledger in self.ledgers.values():
            ledger.compare(0, self.result)

    async def _live(self) -> None:
        members = [asyncio.create_task(self._member(member)) for member in self.queues]
        mark = self.marks.pop(0)
        while self.result.acknowledged < mark and not all(task.done() for task in members):
            self.progress.clear()
            await asyncio.wait([asyncio.create_task(self.progress.wait()), *members], return_when=asyncio.FIRST_COMPLETED, timeout=60)
        await asyncio.sleep(self.waits.uniform(0, LONGEST_WAIT))
        await self.bot.kill()
        self.result.kills += 1
        for outcome in await asyncio.gather(*members, return_exceptions=True):
            if isinstance(outcome, Unreadable):
                await self._give_up(outcome)
                break
            if isinstance(outcome, BaseException) and not isinstance(outcome, Gone):
                raise outcome

    async def _member(self, member: str) -> None:
        """One command after the other; one without an answer stays first in the queue, for the next life, under its id."""
        queue, ledger = self.queues[member], self.ledgers[member]
        while queue:
            command_id, times = queue[0]
            ledger.pending = True
            async for count in self.bot.say(member, command_id, STEP, times):
                ledger.hear(None if count is None else count // STEP)
                if ledger.pending:
                    ledger.acknowledge()
                    queue.pop(0)
                    self.result.acknowledged += 1
                    self.progress.set()


async def run(bot: Bot, *, commands: int, kills: int, members: int, seed: int, report: Callable[[str], None] = lambda line: None) -> Result:
    """`commands` by `members`, one in ten sent twice, with `kills` at drawn moments."""
    draw = random.Random(seed)
    twice = set(draw.sample(range(commands), commands // 10))
    names = [f"m{number}" for number in range(members)]
    queues: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    for number in range(commands):
        queues[names[number % members]].append((f"command-{number}", 1 + (number in twice)))
    marks = [*sorted(draw.sample(range(1, commands), kills - 1)), commands]
    result = Result(commands=commands, sent_twice=len(twice))
    return await Run(bot, result, marks, draw, queues, {name: Ledger() for name in names}, report).all()
