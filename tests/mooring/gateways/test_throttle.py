"""Member lists in channels of any size."""

from __future__ import annotations

import asyncio
from typing import Any

from mooring.events import Down
from mooring.gateways.throttle import LINES_A_SECOND, Throttle


def state(number: int) -> Down:
    body: Any = number
    return Down("characters", "tavern", body)


async def test_few_watchers_see_every_state_at_once() -> None:
    sent: list[int] = []
    throttle = Throttle(lambda _, down: sent.append(down.body))
    for number in range(5):
        throttle.offer("tavern", state(number), lines=0)
    assert sent == [0, 1, 2, 3, 4]


async def test_a_crowd_sees_the_first_and_then_the_newest() -> None:
    sent: list[tuple[str, int]] = []
    throttle = Throttle(lambda channel_id, down: sent.append((channel_id, down.body)))
    for number in range(50):
        throttle.offer("tavern", state(number), lines=LINES_A_SECOND // 20)
    throttle.offer("library", state(0), lines=1)
    assert sent == [("tavern", 0), ("library", 0)]
    while len(sent) < 3:
        await asyncio.sleep(0.01)
    assert sent[2:] == [("tavern", 49)]
    throttle.offer("tavern", state(50), lines=0)
    while len(sent) < 4:
        await asyncio.sleep(0.01)
    assert sent[3:] == [("tavern", 50)]
