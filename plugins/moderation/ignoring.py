"""What every member can do alone: hear nothing more of somebody."""

from mooring import Context, Member, command, ignored_members, set_ignored


@command(example="/ignore @ann")
async def ignore(ctx: Context, whom: Member | None = None) -> None:
    """Hear nothing more of a member, who does not learn of it; without a name, list whom you ignore."""
    if whom is not None:
        set_ignored(ctx, whom, True)
        ctx.tell(ctx.member, f"You hear nothing of {whom} any more.")
        return
    members = [ctx.channel.get(member_id) for member_id in ignored_members(ctx)]
    names = [member.name for member in members if member is not None]
    ctx.tell(ctx.member, f"You ignore {', '.join(names)}." if names else "You ignore nobody who is here.")


@command(example="/unignore @ann")
async def unignore(ctx: Context, whom: Member) -> None:
    """Hear a member again, and what they said meanwhile."""
    set_ignored(ctx, whom, False)
    ctx.tell(ctx.member, f"You hear {whom} again.")
