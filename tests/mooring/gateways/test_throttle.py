"""What shows the characters in channels of any size."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mooring.events import Character, CharacterChanges, CharacterCount, Down
from mooring.gateways.throttle import Throttle, coalesce
from mooring.kinds import CHARACTER_CHANGES, CHARACTER_COUNT, CHARACTERS
from tests.service_for_tests import Driver, running

TEN, FIVE_HUNDRED = 10, 500


def changes(*names: str, removed: tuple[str, ...] = (), recipients: frozenset[str] | None = None) -> Down:
    changed = [Character(name.lower(), name) for name in names]
    return Down(CHARACTER_CHANGES, "tavern", CharacterChanges("tavern", changed, list(removed)), recipients)


def count(total: int) -> Down:
    return Down(CHARACTER_COUNT, "tavern", CharacterCount("tavern", total))


def whole(*names: str) -> Down:
    return Down(CHARACTERS, "tavern", [Character(name.lower(), name) for name in names])


def names(down: Down) -> list[str]:
    listed = down.body.changed if isinstance(down.body, CharacterChanges) else down.body
    return [character.name for character in listed]


class Watched:
    """A throttle, and what it let through."""

    def __init__(self, driver: Driver, watching: int) -> None:
        self.sent: list[Down] = []
        self.throttle = Throttle(driver.service, lambda _, down: self.sent.append(down), lambda _: watching)

    def offer(self, *downs: Down) -> None:
        self.throttle.offer("tavern", downs)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                await asyncio.sleep(0.005)


async def test_few_watchers_see_every_change_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        few = Watched(driver, watching=0)
        for number in range(5):
            few.offer(changes(f"Ann{number}"))
        assert [names(down) for down in few.sent] == [[f"Ann{number}"] for number in range(5)]


async def test_a_crowd_sees_the_first_change_and_then_all_others_as_one(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        crowd = Watched(driver, FIVE_HUNDRED)
        for number in range(50):
            crowd.offer(changes(f"Ann{number % 7}", removed=("bob",)), count(number))
        assert [names(crowd.sent[0])] == [["Ann0"]]
        assert len(crowd.sent) == 2
        await crowd.until(4)
        assert sorted(names(crowd.sent[2])) == [f"Ann{number}" for number in range(7)]
        assert crowd.sent[2].body.removed == ["bob"]
        assert crowd.sent[3] == count(49)


async def test_where_more_changed_than_a_newcomer_is_shown_all_are_shown_that(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        await driver.join(*(f"m{number}" for number in range(150)))
        crowd = Watched(driver, FIVE_HUNDRED)
        crowd.offer(changes("First"))
        for number in range(150):
            crowd.offer(changes(f"m{number}"))
        await crowd.until(3)
        [_, beginning, total] = crowd.sent
        assert (beginning.type, len(names(beginning)), beginning.recipients) == (CHARACTERS, 100, None)
        assert total.body == CharacterCount("tavern", 150, 150)


async def test_what_only_some_are_shown_comes_after_what_all_were_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as driver:
        crowd = Watched(driver, FIVE_HUNDRED)
        crowd.offer(changes("Ann"))
        crowd.offer(changes("Bob"))
        crowd.offer(changes("Eve", recipients=frozenset({"ann"})))
        assert [names(down) for down in crowd.sent] == [["Ann"], ["Bob"], ["Eve"]]


def test_several_say_in_short_what_they_say_one_after_the_other() -> None:
    assert coalesce([changes("Ann"), whole("Bob"), count(1)]) == [whole("Bob"), count(1)], "what was changed before is in the whole"
    short = coalesce([whole("Ann"), changes("Bob", "Cleo"), changes("Dan", removed=("bob",)), changes("Bob", removed=("dan",))])
    assert short[0] == whole("Ann")
    assert (sorted(names(short[1])), short[1].body.removed) == (["Bob", "Cleo"], ["dan"])
