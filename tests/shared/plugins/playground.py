"""Commands that read and change two dicts, and answer with what they read. The last word of each is the id of the operation."""

from __future__ import annotations

from mooring import CommandError, Context, command


@command(example="/add 1 op")
async def add(ctx: Context, amount: int, _operation: str) -> str:
    """Add to the total."""
    kept = ctx.storage.mana_bars
    kept["total"] = kept.get("total", 0) + amount
    return f"total {kept['total']}"


@command(example="/put ann 5 op")
async def put(ctx: Context, who: str, value: int, _operation: str) -> str:
    """Set somebody's health."""
    old = ctx.storage.health_bars.get(who)
    ctx.storage.health_bars[who] = value
    return f"{who} was {old}"


@command(example="/move ann bob 5 op")
async def move(ctx: Context, one: str, other: str, amount: int, _operation: str) -> str:
    """Turn somebody's health into somebody else's mana."""
    health, mana = ctx.storage.health_bars, ctx.storage.mana_bars
    if health.get(one, 0) < amount:
        raise CommandError(f"{one} has not that much")
    health[one] = health.get(one, 0) - amount
    mana[f"of {other}"] = mana.get(f"of {other}", 0) + amount
    return f"{one} {health[one]}, {other} {mana[f'of {other}']}"
