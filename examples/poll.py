"""Polls that close by themselves."""

from collections import Counter
from datetime import timedelta

from mooring import Button, ButtonClick, CommandError, Context, command, requires


@command("poll open", example='/poll open 10m "Tea or coffee?" tea coffee')
async def open_poll(ctx: Context, length: timedelta, question: str, *choices: str) -> str:
    """Ask a question, to be answered within a time."""
    if "open" in ctx.storage.polls:
        raise CommandError("A poll is open already.")
    if len(set(choices)) < 2:
        raise CommandError("A poll needs two different choices.")
    closing = ctx.schedule(length, close)
    ctx.storage.polls["open"] = {"question": question, "votes": {}, "choices": list(choices), "closing": closing}
    ctx.buttons([Button(f"vote {choice}", choice) for choice in choices])
    return f"{question} Vote with /vote: {', '.join(choices)}."


@command(example="/vote tea")
async def vote(ctx: Context, choice: str) -> str:
    """Vote; your last vote counts."""
    poll = ctx.storage.polls.get("open")
    if poll is None:
        raise CommandError("No poll is open.")
    if choice not in poll["choices"]:
        raise CommandError(f"The choices are {', '.join(poll['choices'])}.")
    poll["votes"][ctx.member.id] = choice
    return f"{len(poll['votes'])} have voted."


@command("poll close", example="/poll close")
@requires("moderator")
async def close_early(ctx: Context) -> None:
    """Close the poll before its time."""
    poll = ctx.storage.polls.get("open")
    if poll is None:
        raise CommandError("No poll is open.")
    ctx.cancel(poll["closing"])
    await close(ctx)


async def close(ctx: Context) -> None:
    """Count the votes."""
    poll = ctx.storage.polls.pop("open")
    votes = Counter(poll["votes"].values())
    counted = ", ".join(f"{choice} {votes[choice]}" for choice in poll["choices"])
    ctx.buttons([])
    ctx.reply(f"The poll is closed. {poll['question']} {counted}.")


async def on_button_click(ctx: Context, click: ButtonClick) -> None:
    if click.button_id.startswith("vote "):
        ctx.reply(await vote(ctx, click.button_id.removeprefix("vote ")))
