"""A command that adds to something that all channels share. Its last word is the id of the operation."""

from __future__ import annotations

from mooring import Context, Store, command

shared = Store("shared", model=int, default=0, scope="service")
part = Store("part", model=int, default=0, scope="channel")


@command(example="/share 3 op")
async def share(ctx: Context, amount: int, _operation: str) -> str:
    """Add to the total of all channels, and to this channel's part in it."""
    shared[ctx] += amount
    part[ctx] += amount
    return f"shared {shared[ctx]}, {part[ctx]} from here"
