"""From an event to the functions that handle it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from plugins._clock import use_clock
from plugins._context import Context
from plugins._parsing import parse
from plugins._rules import check_role


async def run_command(ctx: Context, line: str) -> None:
    """Run the command that `line` names, and reply with what it returns.

    Raises CommandError for what the member did wrong, and whatever the handler raises.
    """
    match = ctx.plugins.table.resolve(line)
    command = match.command
    own = ctx.for_plugin(ctx.plugins.loaded[command.plugin], line)
    member = own.member
    check_role(command.name, command.rules, member)
    values = parse(match, own.channel)
    result = await _call(own, f"/{command.name}", command.handler, own, *values)
    if isinstance(result, str) and result:
        own.reply(result)


async def run_hooks(ctx: Context, hook: str, *body: Any) -> None:
    """Call the hook of that name in every plugin that has it, in the order of the config."""
    for plugin, function in ctx.plugins.hooks(hook):
        own = ctx.for_plugin(plugin)
        await _call(own, hook, function, own, *body)


async def _call(ctx: Context, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    with use_clock(ctx.clock):
        ctx.name_handler(what)
        result = await call(function, *arguments)
        ctx.close_progress()
        return result


async def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Await an `async def`; run a `def` in a worker thread, where it may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    return await asyncio.to_thread(function, *arguments)


