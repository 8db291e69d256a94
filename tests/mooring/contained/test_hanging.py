"""A handler that does not come back is named, given up and told, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.service_for_tests import Driver, running
from tests.waiting_for_tests import eventually

SOURCE = '''
import asyncio
import threading
from mooring import Context, Rest, command, every

LET_GO = threading.Event()


@command(example="/wait")
async def wait(ctx: Context) -> None:
    """Wait for ever."""
    ctx.storage.health_bars["left"] = 1
    await asyncio.Event().wait()


@command(example="/swallow")
async def swallow(ctx: Context) -> None:
    """Wait for ever, and let nobody end it."""
    ctx.storage.health_bars["left"] = 1
    while not LET_GO.is_set():
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            pass


@command(example="/block")
def block(ctx: Context) -> None:
    """Block a thread for ever."""
    ctx.storage.health_bars["left"] = 1
    LET_GO.wait()


@command(example="/thread")
async def thread(ctx: Context) -> None:
    """Block a thread of asyncio's."""
    ctx.storage.health_bars["left"] = 1
    await asyncio.to_thread(LET_GO.wait)


async def on_message_up(ctx: Context, message) -> None:
    if message.content.text == "wait":
        await asyncio.Event().wait()


@command(example="/fine")
def fine(ctx: Context) -> str:
    """Show that all is well."""
    return f"left {ctx.storage.health_bars.get('left')}"


@command(example="/loosen")
async def loosen(ctx: Context) -> None:
    """Let all go that hang."""
    LET_GO.set()


async def held(ctx: Context) -> None:
    await asyncio.Event().wait()


@command(example="/soon")
async def soon(ctx: Context) -> None:
    """Hang in a moment."""
    ctx.schedule("0s", held)
'''

CHANNELS = [f"room{number}" for number in range(8)]


@pytest.fixture
async def driver(tmp_path: Path) -> AsyncIterator[Driver]:
    (tmp_path / "hanging.py").write_text(SOURCE)
    limits = {"handler_seconds": 0.3}
    options: dict[str, Any] = {"plugins": ["help", "bars", "hanging"], "plugin_folders": [str(tmp_path)], "limits": limits, "stop_timeout": 1}
    async with running(tmp_path / "store", channels=["tavern", *CHANNELS], **options) as driver:
        await driver.join("ann", "bob")
        await driver.join("mo", role="moderator")
        yield driver
        await driver.say("bob", "/loosen")


def problems(driver: Driver) -> str:
    return "\n".join(driver.service.health()["problems"])


@pytest.mark.parametrize("handler", ["wait", "swallow", "block", "thread"])
async def test_it_is_given_up_and_named(driver: Driver, handler: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = await driver.say("ann", f"/{handler}")
    assert not answer.ok
    assert re.search(r"reference \w+", answer.message)
    assert f"hanging: /{handler} in channel tavern did not return within 0.3 seconds" in caplog.text
    assert re.search(r"hanging\.py.* line \d+", caplog.text), "and where it stands"
    assert f"hanging: /{handler} in channel tavern did not return within 0.3 seconds" in problems(driver)
    assert (await driver.say("bob", "/fine")).ok
    assert driver.recorder.texts()[-1] == "left None"
    assert (await driver.say("bob", "/hit @bob 1")).ok


async def test_the_event_of_a_hook_goes_on_without_it_or_fails_as_a_whole(driver: Driver) -> None:
    await driver.say("ann", "wait")
    assert "hanging: on_message_up in channel tavern did not return" in problems(driver)
    assert (await driver.say("bob", "/fine")).ok


@pytest.mark.parametrize("handler", ["swallow", "block", "thread"])
async def test_three_that_cannot_be_ended_are_enough(driver: Driver, handler: str) -> None:
    for _ in range(3):
        assert not (await driver.say("ann", f"/{handler}")).ok
    answer = await driver.say("ann", f"/{handler}")
    assert f"/{handler} is off" in answer.message
    assert f"hanging: /{handler} has not returned from 3 runs, and is off until it is reloaded" in problems(driver)
    await driver.say("mo", "/plugins reload hanging")
    await driver.service.settle()
    assert "is off until" not in problems(driver)
    assert "is off" not in (await driver.say("ann", f"/{handler}")).message


async def test_a_handler_whose_threads_came_back_is_on_again(driver: Driver) -> None:
    for _ in range(3):
        await driver.say("ann", "/block")
    await driver.say("ann", "/loosen")
    await eventually(lambda: "has not returned" not in problems(driver))
    assert (await driver.say("ann", "/block")).ok


async def test_a_timer_is_given_up(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    await driver.say("ann", "/soon")
    await eventually(lambda: "hanging.held failed in channel tavern" in caplog.text)
    assert (await driver.say("bob", "/fine")).ok


async def test_seven_channels_that_hang_stop_nobody_else(driver: Driver) -> None:
    for channel in CHANNELS:
        await driver.join("ann", channel=channel)
    hanging = [asyncio.create_task(driver.say("ann", "/block" if number % 2 else "/thread", channel)) for number, channel in enumerate(CHANNELS)]
    await asyncio.sleep(0.05)
    assert (await driver.say("bob", "/fine")).ok
    assert (await asyncio.to_thread(driver.service.health))["channels"]["tavern"]["storage_answers"]
    assert not any(task.done() for task in hanging)
    await asyncio.gather(*hanging)
