"""Keeps notes, each with a number that nobody else has."""

from mooring import Context, command


@command("note")
async def note(ctx: Context, number: int) -> str:
    """Keep a number."""
    ctx.storage.health_bars["notes"] = [*ctx.storage.health_bars.get("notes", []), number]
    return "kept"


@command("notes")
async def notes(ctx: Context) -> str:
    """Tell all of them."""
    return "notes " + " ".join(map(str, ctx.storage.health_bars.get("notes", [])))
