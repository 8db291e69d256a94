"""Timers of one channel wait for no other, and for no clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mooring.bots.agenda import Agenda
from mooring.bots.recurrence import Recurrence
from mooring.bots.schedule import Schedule, ScheduledCall
from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually

SOURCE = '''
import asyncio
from datetime import UTC, datetime, timedelta
from mooring import Context, command, every, now

@every("1s")
async def tick(ctx: Context) -> None:
    if ctx.channel.id != "stuck":
        ctx.storage.health_bars["ticks"] = ctx.storage.health_bars.get("ticks", 0) + 1

@command(example="/hang")
async def hang(ctx: Context) -> None:
    """Hold up the channel."""
    await asyncio.Event().wait()

async def hanging(ctx: Context) -> None:
    await asyncio.Event().wait()

@command(example="/soon 0.1")
async def soon(ctx: Context, seconds: float) -> None:
    """Ring after some time."""
    ctx.schedule(timedelta(seconds=seconds), ring)

@command(example="/at 10")
async def at(ctx: Context, seconds: float) -> None:
    """Ring at a time of the day."""
    ctx.schedule(datetime.fromtimestamp(now() + seconds, UTC), ring)

@command(example="/jam")
async def jam(ctx: Context) -> None:
    """Hold up the channel's timers."""
    ctx.schedule("0s", hanging)

@command(example="/many 10")
async def many(ctx: Context, count: int) -> None:
    """Ring very often."""
    for number in range(count):
        ctx.schedule("0s", ring)

async def ring(ctx: Context) -> None:
    ctx.storage.mana_bars["rings"] = ctx.storage.mana_bars.get("rings", 0) + 1
'''


class Clock:
    """The time, as somebody has set it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


def options(tmp_path: Path, clock: Clock) -> dict[str, Any]:
    (tmp_path / "timed.py").write_text(SOURCE)
    return {"channels": ["tavern", "stuck"], "plugins": ["timed"], "plugin_folders": [str(tmp_path)], "clock": clock, "stop_timeout": 0.5}


@pytest.fixture
async def driver(tmp_path: Path, clock: Clock) -> AsyncIterator[Driver]:
    async with running(tmp_path / "store", **options(tmp_path, clock)) as driver:
        await driver.join("ann")
        await driver.join("ann", channel="stuck")
        yield driver


def count(driver: Driver, name: str, key: str, channel: str = "tavern") -> int:
    kept = getattr(driver.service.channels[channel], name)
    return int(kept.get(key, 0))


@pytest.mark.parametrize("line", ["/hang", "/jam"])
async def test_a_channel_that_hangs_holds_up_no_timer_of_another(driver: Driver, line: str) -> None:
    hanging = asyncio.create_task(driver.say("ann", line, "stuck"))
    await driver.say("ann", "/soon 0.1")
    await eventually(lambda: count(driver, "mana_bars", "rings") == 1)
    await eventually(lambda: count(driver, "health_bars", "ticks") >= 2)
    hanging.cancel()


async def test_timers_begin_in_every_channel_that_does_not_hang(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "jam.py").write_text("import asyncio\nasync def on_join(ctx, action):\n    await asyncio.Event().wait()\n")
    given = {**options(tmp_path, clock), "plugins": ["timed", "jam"], "channels": ["stuck", "tavern"]}
    async with running(tmp_path / "store", **given) as driver:
        joining = asyncio.create_task(driver.join("ann", channel="stuck"))
        await eventually(lambda: count(driver, "health_bars", "ticks") >= 1)
        joining.cancel()


@pytest.mark.parametrize("back", [3600, 86_400])
async def test_a_clock_that_is_set_back_stops_nothing(driver: Driver, clock: Clock, back: float) -> None:
    await eventually(lambda: count(driver, "health_bars", "ticks") >= 1)
    await driver.say("ann", "/soon 0.2")
    clock.ahead = -back
    before = count(driver, "health_bars", "ticks")
    await eventually(lambda: count(driver, "mana_bars", "rings") == 1)
    await eventually(lambda: count(driver, "health_bars", "ticks") >= before + 2)


async def test_a_clock_that_was_set_back_over_a_restart_stops_nothing(tmp_path: Path, clock: Clock) -> None:
    async with running(tmp_path / "store", **options(tmp_path, clock)) as driver:
        await driver.join("ann")
        await driver.say("ann", "/soon 0.5")
    clock.ahead = -86_400
    async with running(tmp_path / "store", **options(tmp_path, clock)) as driver:
        await eventually(lambda: count(driver, "mana_bars", "rings") == 1)
        await eventually(lambda: count(driver, "health_bars", "ticks") >= 1)


async def test_a_clock_that_is_set_ahead_lets_happen_what_is_due_then(driver: Driver, clock: Clock) -> None:
    await driver.say("ann", "/at 3600")
    clock.ahead = 7200
    driver.service.wake_timers()
    await eventually(lambda: count(driver, "mana_bars", "rings") == 1)


async def test_a_time_of_the_day_is_one_by_the_clock(driver: Driver, clock: Clock) -> None:
    await driver.say("ann", "/at 0.3")
    clock.ahead = -3600
    before = count(driver, "health_bars", "ticks")
    await eventually(lambda: count(driver, "health_bars", "ticks") >= before + 2)
    assert count(driver, "mana_bars", "rings") == 0


def test_cron_follows_a_clock_that_is_set_back() -> None:
    schedule = Schedule({})
    noon = Recurrence.of("", "0 12 * * *", "UTC")
    day = datetime(2030, 5, 10, tzinfo=UTC).timestamp()
    schedule.add(ScheduledCall("noon", noon.next_after(day), "p", "f", recurrence=noon))
    schedule.follow_clock(day - 86_400)
    assert schedule.next_due() == day - 86_400 / 2
    schedule.follow_clock(day)
    assert schedule.next_due() == day - 86_400 / 2, "set ahead, it is overdue"


async def test_ten_thousand_that_are_due_at_once_hold_up_nobody(driver: Driver) -> None:
    for _ in range(10):
        await driver.say("ann", "/many 1000")
    answered = 0
    while count(driver, "mana_bars", "rings") < 10_000 and answered < 20:
        assert (await driver.say("ann", "hello", "stuck")).ok
        answered += 1
    assert answered == 20, "other channels are served in between"
    assert (await driver.say("ann", "hello")).ok
    assert count(driver, "mana_bars", "rings") < 10_000, "and so is the channel itself"


def test_the_agenda_forgets_what_is_dropped_or_put_off() -> None:
    now = [0.0]
    agenda = Agenda(lambda: now[0], lambda: now[0])
    for number in range(30_000):
        agenda.put("tavern", ScheduledCall("again", 1000.0 + number, "p", "f", since=0.0))
    assert len(agenda._by_clock) < 20_001
    agenda.put("cellar", ScheduledCall("other", 5.0, "p", "f"))
    assert agenda.next_due() == 5.0
    agenda.drop("cellar", "other")
    assert agenda.next_due() == 30_999.0
    now[0] = 40_000.0
    assert [entry.call.due for entry in agenda.take_due(10)] == [30_999.0]
    assert agenda.take_due(10) == []
    assert agenda.wait() is None
