"""A plugin that does all that a plugin should not do."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NoReturn

from mooring import CanvasItem, Context, MessageBody, MessageContent, Rest, command, every

LONE = "\ud800"
LET_GO = threading.Event()
LEAKED: list[Context] = []


def fail(error: BaseException) -> NoReturn:
    raise error


def nest(value: list[Any]) -> None:
    nest([value])


RAISED: dict[str, Callable[[], object]] = {
    "stop": lambda: next(iter([])),
    "async-stop": lambda: fail(StopAsyncIteration()),
    "exit": lambda: sys.exit(3),
    "argparse": lambda: argparse.ArgumentParser(prog="x").parse_args(["--n", "x"]),
    "interrupt": lambda: fail(KeyboardInterrupt()),
    "generator": lambda: fail(GeneratorExit()),
    "cancelled": lambda: fail(asyncio.CancelledError()),
    "group": lambda: fail(BaseExceptionGroup("many", [SystemExit(1), ValueError()])),
    "memory": lambda: fail(MemoryError()),
    "recursion": lambda: nest([]),
    "plain": lambda: 1 / 0,
}


def spend(ctx: Context) -> None:
    """What must not stay, as the handler fails."""
    ctx.storage.health_bars["spent"] = ctx.storage.health_bars.get("spent", 0) + 1


@command(example="/thrown exit")
def thrown(ctx: Context, what: Rest) -> None:
    """Raise something in a thread."""
    spend(ctx)
    RAISED[what]()


@command(example="/raised exit")
async def raised(ctx: Context, what: Rest) -> None:
    """Raise something on the loop."""
    spend(ctx)
    await asyncio.sleep(0)
    RAISED[what]()


@command(example="/inner exit")
async def inner(ctx: Context, what: Rest) -> None:
    """Raise something in a task of one's own."""

    async def work() -> None:
        RAISED[what]()

    spend(ctx)
    await asyncio.wait_for(work(), 5)


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def swallow() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


async def cancel_all() -> None:
    for task in asyncio.all_tasks():
        if task.get_name().split(":")[0] in {"handlers", "timers", "presence"} or task is asyncio.current_task():
            task.cancel()


@command(example="/hang")
async def hang(ctx: Context) -> None:
    """Wait for ever."""
    spend(ctx)
    await wait_for_ever()


@command("swallow", example="/swallow")
async def swallow_all(ctx: Context) -> None:
    """Wait for ever, and let nobody end it."""
    spend(ctx)
    await swallow()


@command(example="/cancel")
async def cancel(ctx: Context) -> None:
    """Cancel whatever has to do with channels."""
    spend(ctx)
    await cancel_all()
    await wait_for_ever()


@command(example="/block")
async def block(ctx: Context) -> None:
    """Block the event loop for a moment."""
    spend(ctx)
    time.sleep(0.3)
    fail(RuntimeError("it came back"))


@command(example="/spin")
async def spin(ctx: Context) -> None:
    """Block the event loop for good."""
    spend(ctx)
    while True:
        sum(range(1000))


@command(example="/thread")
def thread(ctx: Context) -> None:
    """Block a thread, and go on with what is not there any more."""
    LET_GO.wait(20)
    spend(ctx)


SENT: dict[str, Callable[[Context], object]] = {
    "lone": lambda ctx: ctx.reply(LONE),
    "canvas": lambda ctx: ctx.canvas([CanvasItem(text=LONE)]),
    "object": lambda ctx: ctx.reply(MessageBody("text", "", MessageContent(text="x"), context={"extra": object()})),
    "long": lambda ctx: ctx.reply("x" * 40_000_000),
    "many": lambda ctx: [ctx.reply(str(number)) for number in range(10_000)],
}


@command(example="/send lone")
async def send(ctx: Context, what: Rest) -> str:
    """Send what cannot be sent."""
    spend(ctx)
    SENT[what](ctx)
    return "sent"


async def nothing(ctx: Context) -> None:
    pass


async def beside(work: Any) -> None:
    await asyncio.sleep(0.01)
    fail(SystemExit(4))


async def elsewhere(ctx: Context) -> None:
    await ctx.service.in_channel("other" if ctx.channel.id != "other" else "mine", nothing)


async def own(ctx: Context) -> None:
    await asyncio.create_task(ctx.service.in_channel(ctx.channel.id, nothing))


async def write_elsewhere(ctx: Context) -> None:
    ctx.service.channels["tavern"].health_bars["spent"] = 1


async def after(ctx: Context) -> None:
    ctx.after_commit(lambda: fail(SystemExit(5)))
    ctx.background(beside)
    LEAKED.append(ctx)


async def leaked(ctx: Context) -> None:
    del LEAKED[:-10]
    for each in LEAKED:
        each.storage.health_bars["spent"] = 1


async def stop_loop(ctx: Context) -> None:
    asyncio.get_running_loop().call_soon(fail, SystemExit(6))
    fail(RuntimeError("stopped"))


async def later(ctx: Context) -> None:
    ctx.schedule("0s", due)
    ctx.schedule("0s", due_hanging)


REACHES: dict[str, Callable[[Context], Awaitable[None]]] = {
    "elsewhere": elsewhere,
    "own": own,
    "write": write_elsewhere,
    "after": after,
    "leaked": leaked,
    "loop": stop_loop,
    "later": later,
}


@command(example="/reach own")
async def reach(ctx: Context, what: Rest) -> None:
    """Do what reaches beyond the event."""
    await REACHES[what](ctx)


async def due(ctx: Context) -> None:
    fail(SystemExit(7))


async def due_hanging(ctx: Context) -> None:
    await wait_for_ever()


@every("2s")
async def tick(ctx: Context) -> None:
    """Fail again and again."""
    spend(ctx)
    fail(KeyboardInterrupt())


async def on_message_up(ctx: Context, message: MessageBody) -> None:
    spend(ctx)
    RAISED[sorted(RAISED)[len(message.content.text or "") % len(RAISED)]]()


async def on_join(ctx: Context, action: object) -> None:
    fail(SystemExit(8))
