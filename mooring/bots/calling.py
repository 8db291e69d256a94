"""From an event to the functions that handle it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import PurePath
from types import FunctionType
from typing import Any

from mooring.bots.context import Context
from mooring.bots.plugin import Plugin
from mooring.bots.schemas import check_changed
from mooring.channel_messages import ChannelMessage
from mooring.channels.system_dicts import COOLDOWNS
from mooring.channels.turn import current_turn
from mooring.channels.workers import STUCK_RUNS
from mooring.commands.cooldowns import Cooldowns
from mooring.commands.parsing import parse
from mooring.commands.rules import allows, audience, check_role
from mooring.containment import contained
from mooring.errors import CommandError, PluginError, new_reference
from mooring.events import MessageBody, UpBody
from mooring.threads import Threads
from storage.errors import CommitFailed

log = logging.getLogger(__name__)

_UNCOUNTED = nullcontext()


async def run_command(ctx: Context, line: str, confirmed: frozenset[str] = frozenset()) -> None:
    """Run the command that `line` names, and reply with what it returns.

    `confirmed` are the questions in it that were answered by yes. Raises CommandError for what the member did wrong, and
    whatever the handler raises.
    """
    match = ctx.plugins.table.resolve(line)
    command = match.command
    own = ctx.for_plugin(ctx.plugins.loaded[command.plugin], line)
    if confirmed:
        own = own.confirmed(confirmed)
    member = own.member
    check_role(command.name, command.rules, member)
    values = parse(match, own.channel)
    if command.rules.cooldowns:
        Cooldowns(COOLDOWNS.of(own.storage), own.clock()).begin(command.name, command.rules.cooldowns, member)
    with _UNCOUNTED if command.rules.runs is None else ctx.plugins.runtime.runs.one(command.name, command.rules.runs):
        result = await run_function(own, f"/{command.name}", command.handler, *values)
    if isinstance(result, str | MessageBody | PurePath) and result:
        own.reply(result)


async def run_confirmed(ctx: Context) -> None:
    """Go on with the command that asked this member for a yes. Raises CommandError if none did, or it was too long ago."""
    pending, channel_id, member_id = ctx.plugins.runtime.pending, ctx.channel.id, ctx.member.id
    question = pending.waiting(channel_id, member_id, ctx.clock())
    if question is None:
        raise CommandError("Nothing is waiting for your yes.")
    ctx.after_commit(lambda: pending.forget(channel_id, member_id))
    await run_command(ctx, question.line, question.answered)


async def run_checks(ctx: Context, event: UpBody) -> None:
    """Ask every plugin that has a `check_event` whether an event may happen.

    CommandError refuses it; so does whatever else one raises, since nobody knows then whether it may.
    """
    for plugin, _ in ctx.plugins.hooks("check_event"):
        await run_hook(plugin, "check_event", ctx, event)


async def run_hooks(ctx: Context, hook: str, *body: Any) -> None:
    """Call the hook of that name in every plugin that has it, in the order of the config.

    A click on what one plugin shows is for that plugin alone.
    """
    if hook == "on_join":
        # Made now, not when first used: what a bar regains counts from here on.
        for spec in ctx.plugins.bars:
            if spec.owner == "member":
                with suppress(PluginError):  # what stands in its place is for whoever uses it; it keeps nobody out
                    spec.of(ctx.storage, ctx.member.id)
    chosen_in = ctx.chosen_in
    for plugin, _ in ctx.plugins.hooks(hook):
        if chosen_in in {"", plugin.name}:
            if chosen_in and not allows(plugin.rules, ctx.member):
                raise CommandError(f"That is for {audience(plugin.rules)}.")
            await _run_apart(plugin, hook, ctx, *body)


async def _run_apart(plugin: Plugin, hook: str, ctx: Context, *body: Any) -> None:
    """Call a hook so that its failure is its own: what it did is undone, its member is told, and the event goes on without it.

    By CommandError it refuses the event as a whole.
    """
    own = ctx.for_plugin(plugin)
    turn = own.begin_handler(hook)
    if ctx.plugins.runtime.stuck.is_off(turn.handler):
        return
    mark, held, message = turn.sends.mark(), turn.held_values.mark(), _Original(body)
    try:
        with ctx.storage.savepoint():
            await run_function(own, hook, plugin.hooks[hook], *body)
    except (CommandError, CommitFailed):
        raise
    except Exception:
        if turn.has_left_threads:
            raise  # they could go on to change what belongs to the others
        turn.sends.undo_to(mark)
        turn.held_values.undo_to(held)
        message.restore()
        reference = new_reference()
        log.exception("%s failed and is left out of the event (reference %s)", turn.running(), reference)
        own.refuse(f"Something went wrong in {plugin.name} (reference {reference}); what it did was undone.")


class _Original:
    """A message as it was before a hook was given it, which may change it."""

    def __init__(self, body: Sequence[Any]) -> None:
        self._bodies = [(each, vars(each).copy(), vars(each.content).copy()) for each in body if isinstance(each, MessageBody)]

    def restore(self) -> None:
        for message, fields, content in self._bodies:
            vars(message).update(fields)
            vars(message.content).update(content)


async def run_channel_hooks(ctx: Context, hook: str, message: ChannelMessage) -> None:
    """The same for what went from one channel to another: a message is for all plugins, anything else for the one that sent it.

    Raises CommandError if that one is not there, or has no such hook, to take what arrives.
    """
    if isinstance(message.body, MessageBody) or not message.plugin:
        await run_hooks(ctx, hook, message)
        return
    plugin = ctx.plugins.loaded.get(message.plugin)
    if plugin is not None and hook in plugin.hooks:
        await run_hook(plugin, hook, ctx, message)
    elif hook == "on_channel_message":
        raise CommandError(f"There is nobody who would take it: the plugin {message.plugin} is not there, or has no {hook}.")


async def run_hook(plugin: Plugin, hook: str, ctx: Context, *body: Any) -> None:
    """Call the hook of that name in one plugin, which has it."""
    await run_function(ctx.for_plugin(plugin), hook, plugin.hooks[hook], *body)


async def run_function(ctx: Context, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a handler with its Context; `what` names it in the log."""
    turn = ctx.begin_handler(what)
    if ctx.plugins.runtime.stuck.is_off(turn.handler):
        raise CommandError(f"{what} is off: it did not come back {STUCK_RUNS} times. A moderator can load its plugin anew.")
    try:
        result = await contained(call(turn.threads, function, ctx, *arguments, name=turn.handler), turn.running, turn)
        turn.held_values.save()
        check_changed(ctx.plugins.values, ctx.storage)
        turn.quota.check_channel(ctx.storage)
        for quota in ctx.plugins.quotas:
            quota.check(ctx.storage)
    except BaseException:
        ctx.stop_progress()
        raise
    ctx.close_progress()
    return result


async def call(threads: Threads, function: Callable[..., Any], *arguments: Any, name: str = "") -> Any:
    """Await an `async def`; run a `def` in a thread, where it may block."""
    if _is_async(function):
        return await function(*arguments)
    turn = current_turn()
    return await threads.run(function, *arguments, name=name, started=turn.started if turn is not None else None)


def _is_async(function: Callable[..., Any]) -> bool:
    # inspect looks behind partials and methods first, which takes longer than all else that a call needs.
    is_plain = type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE
    return bool(is_plain) or inspect.iscoroutinefunction(function)
