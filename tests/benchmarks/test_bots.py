"""The benchmark of bots counts what a bot loses, doubles and cannot read; here against bots in memory that do so on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from benchmarks.bots_children import discord_source, on_the_page
from benchmarks.bots_counting import STEP, Gone, Ledger, Result, Unreadable, run


class Sound:
    """Keeps every count before it answers, and knows the ids it has handled."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.handled: set[str] = set()
        self.runs = False
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1
        self.runs = True

    def count(self, member: str, command_id: str, by: int) -> int | None:
        if command_id in self.handled:
            return None
        self.handled.add(command_id)
        self.kept[member] = self.kept.get(member, 0) + by
        return self.kept[member]

    async def say(self, member: str, command_id: str, by: int, times: int) -> AsyncIterator[int | None]:
        for _ in range(times):
            await asyncio.sleep(0.0005)
            if not self.runs:
                raise Gone
            count = self.count(member, command_id, by)
            await asyncio.sleep(0.0005)
            if not self.runs:
                raise Gone
            yield count

    async def kill(self) -> None:
        self.runs = False

    def clear(self) -> None:
        self.kept = {}


class Forgetful(Sound):
    """Knows no ids."""

    def count(self, member: str, command_id: str, by: int) -> int | None:
        self.handled.clear()
        return super().count(member, command_id, by)


class Late(Sound):
    """Keeps its counts, and the ids with them, at the end of a life that nobody lets it have."""

    async def start(self) -> None:
        await super().start()
        self.kept = {}
        self.handled = set()


class Torn(Sound):
    """Cannot read what it wrote after its third start."""

    async def start(self) -> None:
        await super().start()
        if self.starts == 4 and self.kept:
            raise Unreadable("half a file")


def result_of(bot: Sound, *, commands: int = 80, kills: int = 5) -> Result:
    return asyncio.run(run(bot, commands=commands, kills=kills, members=4, seed=3))


def test_a_sound_bot_loses_and_doubles_nothing() -> None:
    result = result_of(Sound())
    assert result == Result(commands=80, sent_twice=8, kills=5, acknowledged=80)


def test_what_is_sent_again_and_counted_again_is_doubled() -> None:
    bot = Forgetful()
    result = result_of(bot)
    assert (result.acknowledged, result.lost, result.unreadable) == (80, 0, 0)
    assert result.doubled == sum(bot.kept.values()) // STEP - 80
    assert result.doubled >= 8


def test_what_is_gone_after_a_kill_is_lost() -> None:
    result = result_of(Late())
    assert (result.acknowledged, result.lost, result.unreadable) == (80, 80, 0)


def test_a_start_that_fails_loses_all_that_was_kept() -> None:
    bot = Torn()
    result = result_of(bot)
    assert result.unreadable == 1
    assert 0 < result.lost == 80 - sum(bot.kept.values()) // STEP


@pytest.mark.parametrize(
    ("ledger", "found", "lost", "doubled"),
    [
        (Ledger(base=5, due=2, told=7), 7, 0, 0),
        (Ledger(base=5, due=2, told=7), 6, 1, 0),
        (Ledger(base=5, due=2, told=8), 8, 0, 1),
        (Ledger(base=5, due=2, told=8), 6, 2, 1),
        (Ledger(base=5, due=2, told=7, pending=True), 7, 0, 0),
        (Ledger(base=5, due=2, told=7, pending=True), 8, 0, 0),
        (Ledger(base=5, due=2, told=7, pending=True), 9, 0, 1),
        (Ledger(base=5, told=5, pending=True, settled=True), 6, 0, 1),
        (Ledger(base=5, told=5, pending=True, settled=True), 0, 4, 0),
        (Ledger(base=5, due=2, told=8, pending=True), 0, 8, 1),
        (Ledger(base=5, due=2), 7, 0, 0),
        (Ledger(base=5, due=2), 6, 1, 0),
    ],
)
def test_a_life_is_held_against_what_is_found_after_it(ledger: Ledger, found: int, lost: int, doubled: int) -> None:
    result = Result()
    replace(ledger).compare(found, result)
    assert (result.lost, result.doubled) == (lost, doubled)


def test_a_command_that_was_done_without_an_answer_is_doubled_when_it_is_done_again() -> None:
    ledger, result = Ledger(base=5, told=5, pending=True), Result()
    ledger.compare(6, result)
    ledger.hear(7)
    ledger.acknowledge()
    ledger.compare(7, result)
    assert (result.lost, result.doubled) == (0, 1)


def test_the_bots_that_run_are_those_on_the_page() -> None:
    page = on_the_page("discord.py")
    assert discord_source("write_text") == page.replace("Intents.default()", "Intents.all()")
    assert "replace(FILE)" in discord_source("rename")
    assert "FILE.write_text" not in discord_source("rename")
    compile(discord_source("sqlite3"), "counter.py", "exec")
    assert "class Counter(BotPlugin)" in on_the_page("errbot")
