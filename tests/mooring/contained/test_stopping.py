"""A stop takes stop_timeout and a second at most, whatever plugins do, and what was acknowledged is kept."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.process_for_tests import Process, member, start, write_configs

SOURCE = '''
import asyncio
import ctypes
import signal
import sys
import threading
import time
from mooring import Context, command


def begun():
    print("in hand", flush=True)


@command(example="/swallow")
async def swallow(ctx: Context) -> None:
    """Swallow every cancellation."""
    ctx.storage.health_bars["left"] = 1
    begun()
    while True:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            pass


@command(example="/spin")
async def spin(ctx: Context) -> None:
    """Block the loop in Python."""
    ctx.storage.health_bars["left"] = 1
    begun()
    while True:
        try:
            sum(range(1000))
        except Exception:
            pass


@command(example="/sleep")
async def sleep(ctx: Context) -> None:
    """Block the loop in the system."""
    ctx.storage.health_bars["left"] = 1
    begun()
    time.sleep(1000)


@command(example="/thread")
def thread(ctx: Context) -> None:
    """Sleep in a thread."""
    ctx.storage.health_bars["left"] = 1
    begun()
    time.sleep(1000)


@command(example="/stubborn")
async def stubborn(ctx: Context) -> None:
    """Block the loop and catch everything."""
    ctx.storage.health_bars["left"] = 1
    begun()
    while True:
        try:
            while True:
                sum(range(1000))
        except BaseException:
            pass


@command(example="/native")
async def native(ctx: Context) -> None:
    """Block the loop in C, where no Python handler of a signal runs."""
    ctx.storage.health_bars["left"] = 1
    begun()
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)  # which no signal ends


@command(example="/leave")
async def leave(ctx: Context) -> str:
    """Leave things running everywhere."""
    async def swallowing(*_):
        while True:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                pass
    threading.Thread(target=time.sleep, args=(1000,)).start()
    asyncio.create_task(swallowing())
    ctx.service.spawn(swallowing(), name="leaving: swallowing")
    ctx.background(swallowing)
    ctx.background(lambda beside: asyncio.to_thread(time.sleep, 1000))
    begun()
    return "left"
'''

HANGING_END = '''
import asyncio
from contextlib import asynccontextmanager

@asynccontextmanager
async def lifespan(service, config):
    yield
    while True:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            pass

def on_stop(service, config):
    import time
    time.sleep(1000)
'''

SLOW_START = '''
import asyncio

async def on_start(service, config):
    print("in hand", flush=True)
    await asyncio.sleep(100)
'''


def configs(folder: Path, **service: Any) -> list[str]:
    (folder / "mine").mkdir()
    (folder / "mine" / "bad.py").write_text(SOURCE)
    (folder / "mine" / "ending.py").write_text(HANGING_END)
    given = {"plugins": ["help", "bars", "bad", "ending", "web"], "plugin_folders": ["mine"], "channels": ["tavern", "cellar"], "stop_timeout": 1}
    return write_configs(folder, **{**given, **service})


async def in_hand(process: Process) -> None:
    assert process.process.stdout is not None
    assert b"in hand" in await process.process.stdout.readline()


def kept(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "json_db" / "service_1" / "channel_tavern" / "health_bars.json").read_text())
    return found


@pytest.mark.parametrize("line", ["/swallow", "/spin", "/sleep", "/thread", "/leave"])
async def test_sigterm_ends_it_well_whatever_a_handler_does(tmp_path: Path, line: str) -> None:
    process = await start(tmp_path, *configs(tmp_path))
    async with member(process.address, "tavern", "cellar", name="ann") as ann:
        assert (await ann.say("/hit @ann 20"))["body"]["ok"]
        hanging = asyncio.create_task(ann.say(line, "cellar"))
        await in_hand(process)
        process.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code, log = await process.end(0)
        assert time.monotonic() - began < 1 + 1 + 3, "with three for a machine that is busy with other tests"
        assert code == 0, log
        hanging.cancel()
    assert "ann" in json.dumps(kept(tmp_path)) or kept(tmp_path)["$mooring"]["keys"] == 1
    assert not list(tmp_path.rglob("journal")), "a clean end leaves only snapshots"


@pytest.mark.parametrize("line", ["/stubborn", "/native"])
async def test_what_cannot_be_interrupted_ends_with_the_process(tmp_path: Path, line: str) -> None:
    process = await start(tmp_path, *configs(tmp_path))
    async with member(process.address, "tavern", "cellar", name="ann") as ann:
        assert (await ann.say("/hit @ann 20"))["body"]["ok"]
        hanging = asyncio.create_task(ann.say(line, "cellar"))
        await in_hand(process)
        code, log = await process.end()
        assert code == 3
        assert "the stop took longer than stop_timeout" in log
        hanging.cancel()
    process = await start(tmp_path, *configs_again(tmp_path))
    async with member(process.address, token=ann.token) as ann:
        await ann.say("/bars")
        assert "ann has 80 of 100 health and 100 of 100 mana." in ann.texts()
    await process.end()


def configs_again(folder: Path) -> list[str]:
    return write_configs(folder)


@pytest.mark.parametrize("line", ["/spin", "/native"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(tmp_path: Path, line: str, number: int) -> None:
    process = await start(tmp_path, *configs(tmp_path, stop_timeout=1000))
    async with member(process.address, name="ann") as ann:
        hanging = asyncio.create_task(ann.say(line))
        await in_hand(process)
        process.process.send_signal(number)
        await asyncio.sleep(0.2)
        process.process.send_signal(number)
        code, _ = await process.end(0)
        assert code in {-number, 3}
        hanging.cancel()


async def test_sigterm_ends_a_start_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_START)
    process = await start(tmp_path, *write_configs(tmp_path, plugins=["slow"], plugin_folders=["."], stop_timeout=1))
    assert process.line == "in hand\n"
    code, log = await process.end()
    assert code == 0, log


@pytest.mark.parametrize("line", ["/spin", "/sleep"])
async def test_a_loop_that_is_blocked_is_named_and_then_interrupted(tmp_path: Path, line: str) -> None:
    limits = {"blocking_seconds": 0.2, "handler_seconds": 0.6}
    process = await start(tmp_path, *configs(tmp_path, limits=limits))
    async with member(process.address, "tavern", "cellar", name="ann") as ann:
        answer = await ann.say(line, "cellar")
        assert not answer["body"]["ok"]
        assert "reference" in answer["body"]["message"]
        assert (await ann.say("/hit @ann 20"))["body"]["ok"]
        code, log = await process.end()
        assert code == 0
    assert f"blocked for more than 0.2 s by bad: {line} in channel cellar" in log
    assert "bad.py" in log
    assert "it raised HandlerBlocked" in log


@pytest.mark.slow
@pytest.mark.parametrize("line", ["/stubborn", "/native"])
async def test_a_loop_that_stays_blocked_ends_the_process_for_its_supervisor(tmp_path: Path, line: str) -> None:
    process = await start(tmp_path, *configs(tmp_path, limits={"blocking_seconds": 0.2, "handler_seconds": 0.5}))
    async with member(process.address, "tavern", name="ann") as ann:
        assert (await ann.say("/hit @ann 20"))["body"]["ok"]
        hanging = asyncio.create_task(ann.say(line))
        code, log = await process.end(0)
        assert code == 3, log
        assert "could not be interrupted; the process ends" in log
        hanging.cancel()
