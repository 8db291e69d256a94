"""Help: what commands there are, and how each is used."""

from mooring import (
    Background,
    Command,
    CommandError,
    Context,
    MessageBody,
    MessageContent,
    PluginError,
    Rest,
    ScheduledCall,
    clip,
    command,
    format_duration,
    requires,
    run_confirmed,
    suggestion,
    table,
    types,
)
from storage import ConfigError


@command(example="/help hit")
async def help(ctx: Context, name: Rest = "") -> None:  # noqa: A001 - called like its command
    """List the commands, or explain one."""
    ctx.tell(ctx.member, _explain(ctx, name) if name else _list(ctx))


def _list(ctx: Context) -> MessageBody | str:
    by_plugin: dict[str, list[Command]] = {}
    for entry in _allowed(ctx):
        by_plugin.setdefault(entry.plugin, []).append(entry)
    if not by_plugin:
        return "There are no commands here."
    summaries = {name: plugin.summary for name, plugin in ctx.plugins.loaded.items()}
    lines = [line for name, entries in by_plugin.items() for line in (f"{name}: {summaries.get(name, '')}", *map(_line, entries))]
    text = "\n".join([*lines, "/help NAME tells more about one."])
    sections = [{"title": name, "text": summaries.get(name, ""), "entries": list(map(_facts, entries))} for name, entries in by_plugin.items()]
    return MessageBody(types.TEXT, "", MessageContent(text=text), context={"sections": sections})


def _line(entry: Command) -> str:
    return f"{entry.usage}: {entry.summary}"


def _facts(entry: Command) -> dict[str, str]:
    return {"title": entry.usage, "text": entry.summary, "command": entry.example or f"/{entry.name}"}


def _allowed(ctx: Context) -> list[Command]:
    member = ctx.member
    return [entry for _, entry in sorted(ctx.plugins.table.commands.items()) if entry.allows(member)]


def _explain(ctx: Context, name: str) -> str:
    table = ctx.plugins.table
    group = [entry for entry in _allowed(ctx) if entry in table.group(name.removeprefix("/"))]
    match = table.find("/" + name.removeprefix("/"))
    if match is None and group:
        return "\n".join(map(_line, group))
    found = table.resolve("/" + name.removeprefix("/")).command
    return describe(found)


def describe(entry: Command) -> str:
    """Everything that help tells about a command."""
    lines = [entry.usage, entry.help]
    for argument in entry.arguments:
        needed = "" if argument.required else " (may be left out)"
        lines.append(f"  {argument.name}: {argument.help or argument.expects}{needed}")
    if entry.aliases:
        lines.append("Also: " + ", ".join(f"/{alias}" for alias in entry.aliases))
    if entry.audience:
        lines.append(f"Only for {entry.audience}.")
    lines.append(f"Example: {entry.example}")
    return "\n".join(line for line in lines if line)


@command(example="/plugins")
async def plugins(ctx: Context) -> None:
    """List the plugins and what each is for."""
    lines = [f"{plugin.name}: {plugin.summary}" for plugin in ctx.plugins.loaded.values()]
    if ctx.member.role == "owner":
        lines += [f"{plugin.name} (off here): {plugin.summary}" for name, plugin in ctx.plugins.everywhere.items() if name not in ctx.plugins.loaded]
    lines += [f"{name} was left out: {why}" for name, why in ctx.plugins.failed.items()]
    ctx.tell(ctx.member, "\n".join(lines))


@command("plugins on", example="/plugins on bars")
@requires("owner")
async def on(ctx: Context, name: str) -> str:
    """Let a loaded plugin serve this channel, whatever the config says."""
    ctx.switch_plugin(name, True)
    return f"Plugin {name} serves this channel from now on."


@command("plugins off", example="/plugins off bars")
@requires("owner")
async def off(ctx: Context, name: str) -> str:
    """Let a plugin serve this channel no more; what it keeps stays."""
    ctx.switch_plugin(name, False)
    return f"Plugin {name} serves this channel no more. What it keeps here stays."


@command("plugins reload", example="/plugins reload bars")
@requires("moderator")
async def reload(ctx: Context, name: str) -> None:
    """Load the code of a plugin anew; if that fails, the old one stays."""
    if name not in ctx.plugins.everywhere:
        raise CommandError(f"No plugin called {clip(name)} is loaded.{suggestion(name, ctx.plugins.everywhere)}")

    async def work(beside: Background) -> None:
        try:
            await ctx.service.reload_plugin(name)
        except (PluginError, ConfigError) as error:
            raise CommandError(f"Plugin {name} stays as it was: {error}") from error
        await beside.reply(f"Plugin {name} was loaded anew.")

    ctx.background(work)


@command(example="/schedules")
@requires("moderator")
async def schedules(ctx: Context) -> None:
    """List what is to happen later, and what was given up."""
    ctx.tell(ctx.member, _scheduled(ctx) or "Nothing is scheduled here.")


@command("schedules cancel", example="/schedules cancel 0123456789abcdef")
@requires("moderator")
async def cancel_schedule(ctx: Context, key: str) -> str:
    """Let something scheduled not happen."""
    if not ctx.cancel(key):
        raise CommandError(f"Nothing is scheduled as {clip(key)}.{suggestion(key, (call.key for call in ctx.schedules()))}")
    return f"{key} will not happen."


@command("schedules retry", example="/schedules retry 0123456789abcdef")
@requires("moderator")
async def retry_schedule(ctx: Context, key: str) -> str:
    """Try what was given up once more."""
    if not ctx.try_again(key):
        raise CommandError(f"Nothing was given up as {clip(key)}.")
    return f"{key} is tried again."


def _scheduled(ctx: Context) -> MessageBody | None:
    rows = [_row(ctx, call) for call in ctx.schedules()]
    return table(["key", "what", "for", "when", "state"], rows, "Scheduled") if rows else None


def _row(ctx: Context, call: ScheduledCall) -> list[str]:
    member = ctx.channel.get(call.member_id)
    left = call.due - ctx.clock()
    when = "-" if call.has_failed else f"in {format_duration(left)}" if left > 0 else "now"
    tried = f"tried {call.tries} times: {call.problem}" if call.tries else call.problem and f"failed before: {call.problem}"
    return [call.key, f"{call.plugin}: {call.function}", member.name if member else "", when, f"given up; {tried}" if call.has_failed else tried]


@command(example="/yes")
async def yes(ctx: Context) -> None:
    """Go on with the command that asked for a confirmation."""
    await run_confirmed(ctx)
