"""Turns overlap their commits: whatever fails on the disk, nobody has what was never given, and answers keep their order."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mooring import ChannelService
from mooring.channels.answers import UNAVAILABLE
from mooring.errors import CommandError
from mooring.events import TEXT, Acknowledgement, MessageBody, MessageContent, SimpleAction, UpEvent
from storage import files
from tests.service_for_tests import Driver, running


class Bank(ChannelService):
    """`give NAME AMOUNT`: nobody can give what they do not have."""

    async def on_message_up(self, message: MessageBody) -> None:
        gold = self.channels[message.channel_id].health_bars
        word, *rest = (message.content.text or "").split()
        if word == "give":
            name, amount = rest[0], int(rest[1])
            if gold.get(message.sender, 0) < amount:
                raise CommandError(f"{message.sender} has only {gold.get(message.sender, 0)}.")
            gold[message.sender] -= amount
            gold[name] = gold.get(name, 0) + amount
        elif word == "mint":
            gold[message.sender] = gold.get(message.sender, 0) + int(rest[0])
        elif word == "look":
            raise CommandError(f"{message.sender} has {gold.get(message.sender, 0)}.")
        await self.send_message(f"{message.sender} {message.content.text}", message.channel_id)


class Disk:
    """Holds syncs up until the test lets them go on, or fail."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.reached = threading.Event()
        self.failures = 0
        self._sync = files._sync_data

    def sync_data(self, descriptor: int) -> None:
        self.reached.set()
        assert self.go.wait(20)
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, "the test's disk is broken")
        self._sync(descriptor)

    async def hold(self) -> None:
        self.reached.clear()
        self.go.clear()

    async def is_held(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, 20)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(files, "_sync_data", made.sync_data)
    return made


@pytest.fixture
async def bank(tmp_path: Path, disk: Disk) -> AsyncIterator[Driver[Bank]]:
    async with running(tmp_path, Bank) as driver:
        await driver.join("ann", "bob", "eve")
        await driver.say("ann", "mint 10")
        try:
            yield driver
        finally:
            disk.go.set()


def send(bank: Driver[Bank], member: str, text: str, request: str) -> asyncio.Future[Acknowledgement]:
    body = MessageBody(TEXT, "tavern", MessageContent(text=text))
    return bank.service.enqueue(UpEvent("message_up", request, "tavern", member, body))


def gold(bank: Driver[Bank]) -> dict[str, int]:
    return dict(bank.service.channels["tavern"].health_bars)


async def handled(bank: Driver[Bank]) -> None:
    """Wait until nothing is left to begin with."""
    while bank.service.queue_depth("tavern"):
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)


async def test_what_was_built_on_a_commit_that_failed_is_run_again_on_what_is_kept(bank: Driver[Bank], disk: Disk) -> None:
    await disk.hold()
    first = send(bank, "ann", "give bob 10", "1")
    await disk.is_held()
    second = send(bank, "bob", "give eve 10", "2")
    third = send(bank, "eve", "mint 1", "3")
    await handled(bank)
    assert not (first.done() or second.done() or third.done())
    disk.failures = 1
    disk.go.set()
    assert (await first).message == UNAVAILABLE
    assert (await second).message == "bob has only 0."
    assert (await third).ok
    assert gold(bank) == {"ann": 10, "eve": 1}
    assert "bob give eve 10" not in bank.recorder.texts()


async def test_nobody_is_told_and_nobody_else_sees_what_is_not_kept_yet(bank: Driver[Bank], disk: Disk) -> None:
    before = len(bank.recorder.downs)
    await disk.hold()
    answers = [send(bank, "ann", "give bob 1", str(number)) for number in range(5)]
    await disk.is_held()
    await handled(bank)
    assert gold(bank) == {"ann": 10}
    assert [down for down in bank.recorder.downs[before:] if down.type == "message_down"] == []
    assert bank.service.last_number("tavern") == len(bank.service.history("tavern", "ann", limit=100))
    disk.go.set()
    assert all(answer.ok for answer in await asyncio.gather(*answers))
    assert gold(bank) == {"ann": 5, "bob": 5}
    numbers = [down.number for down in bank.recorder.downs if down.number]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_answers_come_in_order_refusals_and_resent_events_too(bank: Driver[Bank], disk: Disk) -> None:
    order: list[str] = []
    await disk.hold()
    events = [("ann", "give bob 4", "a"), ("bob", "look", "b"), ("ann", "give bob 4", "a"), ("eve", "give ann 1", "c"), ("bob", "give eve 4", "d")]
    answers = [send(bank, *event) for event in events]
    for name, answer in zip("abcde", answers, strict=True):
        answer.add_done_callback(lambda _, name=name: order.append(name))  # type: ignore[misc]
    await disk.is_held()
    await handled(bank)
    assert order == []
    disk.go.set()
    done = await asyncio.gather(*answers)
    assert order == list("abcde")
    assert [answer.message for answer in done] == ["", "bob has 4.", "", "eve has only 0.", ""]
    assert done[2].repeated
    assert gold(bank) == {"ann": 6, "bob": 0, "eve": 4}


async def test_a_member_who_joins_can_act_before_the_join_is_kept_and_is_out_if_it_fails(bank: Driver[Bank], disk: Disk) -> None:
    await disk.hold()
    join = bank.service.enqueue(UpEvent("join", "j", "tavern", "zoe", SimpleAction("join", "tavern", "zoe", {"name": "zoe"})))
    await disk.is_held()
    minted = send(bank, "zoe", "mint 3", "m")
    taken = bank.service.enqueue(UpEvent("join", "k", "tavern", "other", SimpleAction("join", "tavern", "other", {"name": "ZOE"})))
    await handled(bank)
    assert "zoe" not in bank.service.members("tavern")
    disk.failures = 1
    disk.go.set()
    assert not (await join).ok
    assert (await minted).message == "Join the channel first."
    assert (await taken).ok
    assert [member.name for member in bank.service.members("tavern").values()] == ["ann", "bob", "eve", "ZOE"]


async def test_a_disk_that_stays_broken_answers_everybody_and_recovers(bank: Driver[Bank], disk: Disk) -> None:
    await disk.hold()
    answers = [send(bank, "ann", "give bob 1", str(number)) for number in range(4)]
    await disk.is_held()
    await handled(bank)
    disk.failures = 1000
    disk.go.set()
    done = await asyncio.gather(*answers)
    assert {answer.message for answer in done} == {UNAVAILABLE}
    disk.failures = 0
    assert (await bank.say("ann", "give bob 2")).ok
    assert gold(bank) == {"ann": 8, "bob": 2}
    assert (await bank.say("ann", "give bob 1", request="0")).ok
    assert gold(bank) == {"ann": 7, "bob": 3}


async def test_an_event_that_is_sent_again_while_it_fails_is_not_lost_and_not_doubled(bank: Driver[Bank], disk: Disk) -> None:
    await disk.hold()
    first = send(bank, "ann", "give bob 4", "same")
    await disk.is_held()
    again = send(bank, "ann", "give bob 4", "same")
    await handled(bank)
    disk.failures = 1
    disk.go.set()
    assert not (await first).ok
    assert (await again).ok
    assert gold(bank) == {"ann": 6, "bob": 4}
