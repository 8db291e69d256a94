"""Channels: make, rename, archive and delete channels from within a chat."""

from mooring import CommandError, Context, Rest, clip, command, requires, table


@command("channel list", example="/channel list")
@requires("owner")
async def list_channels(ctx: Context) -> None:
    """List the channels that were made at run time."""
    made = await ctx.service.made_channels()
    rows = [[each.id, each.config.get("name", ""), "open" if each.is_open else "archived", each.made_by] for each in made]
    ctx.tell(ctx.member, table(["id", "name", "state", "made by"], rows, "Channels") if rows else "No channel was made at run time.")


@command("channel create", example="/channel create club The Club")
async def create(ctx: Context, channel: str, name: Rest = "") -> str:
    """Make a channel that is like no template."""
    await ctx.service.create_channel(name, channel_id=channel, made_by=ctx.member.id, role=ctx.member.role)
    return f"The channel {clip(channel)} was made."


@command("channel create from", example="/channel create from club our-club Our Club")
async def create_from(ctx: Context, template: str, channel: str, name: Rest = "") -> str:
    """Make a channel by a template of the config, which says who may."""
    await ctx.service.create_channel(name, channel_id=channel, made_by=ctx.member.id, role=ctx.member.role, template=template)
    return f"The channel {clip(channel)} was made."


@command("channel rename", example="/channel rename club The Better Club")
@requires("owner")
async def rename(ctx: Context, channel: str, name: Rest) -> str:
    """Give a channel another name."""
    await ctx.service.update_channel(channel, name)
    return f"The channel {clip(channel)} is called {clip(name)} now."


@command("channel archive", example="/channel archive club")
@requires("owner")
async def archive(ctx: Context, channel: str) -> str:
    """Close a channel, which stays as it is."""
    _refuse_own(ctx, channel)
    await ctx.service.archive_channel(channel)
    return f"The channel {clip(channel)} is archived."


@command("channel open", example="/channel open club")
@requires("owner")
async def open_channel(ctx: Context, channel: str) -> str:
    """Open a channel that was archived or deleted."""
    await ctx.service.open_channel(channel)
    return f"The channel {clip(channel)} is open."


@command("channel delete", example="/channel delete club")
@requires("owner")
async def delete(ctx: Context, channel: str) -> str:
    """Take a channel away; what it kept stays until the operator prunes it."""
    _refuse_own(ctx, channel)
    ctx.confirm(f"Delete the channel {clip(channel)} for all its members?")
    await ctx.service.delete_channel(channel)
    return f"The channel {clip(channel)} is deleted."


def _refuse_own(ctx: Context, channel: str) -> None:
    """What is said about it would be lost with it."""
    if channel == ctx.channel.id:
        raise CommandError("Say that in another channel, since this one would be gone before you are told.")
