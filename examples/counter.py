"""Counts, for each member."""

from mooring import Context, command


@command(example="/count 2")
async def count(ctx: Context, by: int = 1) -> str:
    """Count on from where you are."""
    counts = ctx.storage.counts
    counts[ctx.member.id] = counts.get(ctx.member.id, 0) + by
    return f"{ctx.member} is at {counts[ctx.member.id]}."
