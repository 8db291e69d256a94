"""Lists that change while they are read."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mooring.plugins.torbox.paging import Paging


class ChangingList:
    """The newest first, as TorBox lists them; `changes` are made before the request of that number."""

    def __init__(self, count: int, page_size: int = 1000) -> None:
        self.items: list[Any] = [{"id": number} for number in range(count, 0, -1)]
        self.page_size = page_size
        self.changes: dict[int, Any] = {}
        self.positions: list[int] = []

    async def fetch(self, position: int) -> list[Any]:
        if change := self.changes.get(len(self.positions)):
            change(self.items)
        self.positions.append(position)
        return self.items[position : position + self.page_size]


async def ids(changing: ChangingList) -> list[int]:
    return [item["id"] for item in await Paging(changing.fetch).read()]


@pytest.mark.parametrize("gone", [slice(0, 1), slice(0, 150), slice(0, 1000), slice(400, 900), slice(0, 1499), slice(0, 1500)])
async def test_items_that_move_up_are_not_missed(gone: slice) -> None:
    changing = ChangingList(1500)
    changing.changes[1] = lambda items: items.__delitem__(gone)
    found = await ids(changing)
    assert {item["id"] for item in changing.items} <= set(found)
    assert len(found) == len(set(found))


async def test_items_that_come_meanwhile_are_found() -> None:
    changing = ChangingList(1500)
    changing.changes[1] = lambda items: items.insert(0, {"id": 9001})
    changing.changes[2] = lambda items: items.insert(0, {"id": 9002})
    assert set(await ids(changing)) == {*range(1, 1501), 9001, 9002}


@pytest.mark.parametrize(("count", "page_size", "most"), [(0, 1000, 1), (999, 1000, 2), (1500, 1000, 4), (30, 1, 32), (7, 2, 14), (250, 3, 200)])
async def test_a_list_that_stands_still_costs_few_requests(count: int, page_size: int, most: int) -> None:
    changing = ChangingList(count, page_size)
    assert await ids(changing) == list(range(count, 0, -1))
    assert len(changing.positions) <= most


async def test_a_server_that_knows_no_positions_ends_the_list() -> None:
    assert len(await Paging(lambda _: ChangingList(5).fetch(0)).read()) == 5


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_happens_what_stays_is_found(seed: int) -> None:
    chance = random.Random(seed)
    changing = ChangingList(chance.randrange(1, 400), page_size=chance.choice([10, 50, 100]))
    staying = {item["id"] for item in chance.sample(changing.items, len(changing.items) // 2)}

    def change(items: list[Any]) -> None:
        going = [item for item in items if item["id"] not in staying]
        for item in chance.sample(going, min(len(going), chance.choice([0, 1, 3, 40]))):
            items.remove(item)
        for _ in range(chance.choice([0, 0, 1, 5])):
            items.insert(0, {"id": chance.randrange(10_000, 1_000_000)})

    changing.changes = dict.fromkeys(range(1, 8), change)
    assert staying <= set(await ids(changing))
