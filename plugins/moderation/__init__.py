"""Moderation: put members out, ban, mute and warn them, slow a channel down, and keep out words and links."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mooring import (
    ButtonClick,
    CommandError,
    Context,
    Member,
    MenuItemClick,
    MessageBody,
    Rest,
    SimpleAction,
    Store,
    command,
    format_duration,
    remove_member,
    requires,
    set_role,
)
from mooring.plugins.moderation.audit_log import note, print_audit, show_audit
from mooring.plugins.moderation.bans import ban, because, check_ban, check_newcomer, unban
from mooring.plugins.moderation.deleting import DELETE, delete, delete_chosen
from mooring.plugins.moderation.departed import remember
from mooring.plugins.moderation.filters import has_foreign_link, has_word
from mooring.plugins.moderation.ignoring import ignore, unignore
from mooring.plugins.moderation.menus import DELETE_OWN, EDIT, author, change_own, given, is_measure, length, offer
from mooring.plugins.moderation.ranks import check_rank, is_in_charge

__all__ = ["Config", "ban", "delete", "ignore", "print_audit", "show_audit", "unban", "unignore"]
"""The commands of its parts, which are found here."""


class Config(BaseModel):
    """What nobody but those in charge may say, and how much is remembered."""

    model_config = ConfigDict(extra="forbid")
    words: list[str] = Field(default_factory=list)
    links: Literal["allow", "refuse"] = "allow"
    link_hosts: list[str] = Field(default_factory=list)
    """Hosts that may be linked to where links are refused; those below them, too."""
    audit_length: int = Field(default=1000, ge=1)


mutes = Store("mutes", model=float, default=0.0)
"""Until when somebody may not speak."""
warnings = Store("warnings", model=int, default=0)
spoke = Store("spoke", model=float, default=0.0)
"""When somebody spoke last, as far as it matters."""
pace = Store("pace", model=int, default=0, scope="channel")
"""Seconds between two messages of one member."""


async def check_event(ctx: Context, event: object) -> None:
    """Refuse what the banned and the muted do, what comes too fast, and what may not be said."""
    if isinstance(event, SimpleAction):
        check_ban(ctx, event.sender)
        check_newcomer(ctx, event)
        return
    check_ban(ctx, ctx.member.id)
    if is_in_charge(ctx.member):
        return
    until = mutes[ctx]
    if until > ctx.clock():
        raise CommandError(f"You are muted for another {format_duration(until - ctx.clock())}.")
    _check_words(ctx.config, event)
    if pace[ctx] and isinstance(event, MessageBody):
        wait = spoke[ctx] + pace[ctx] - ctx.clock()
        if wait > 0:
            raise CommandError(f"This channel is slowed down. Wait for another {format_duration(wait)}.")
        spoke[ctx] = ctx.clock()


async def on_join(ctx: Context, action: SimpleAction) -> None:
    """Offer what can be done with a message."""
    offer(ctx)


async def on_leave(ctx: Context, action: SimpleAction) -> None:
    """Remember them for a while."""
    remember(ctx)


async def on_refresh(ctx: Context, action: SimpleAction) -> None:
    """The same, for who was made a moderator meanwhile."""
    offer(ctx)


async def on_menu_item_click(ctx: Context, click: MenuItemClick) -> None:
    """Do what was chosen with a message, or about who said it."""
    if click.menu_item_id == DELETE:
        delete_chosen(ctx, click)
    elif click.menu_item_id in {EDIT, DELETE_OWN}:
        change_own(ctx, click)
    elif is_measure(ctx, click.menu_item_id):
        ctx.reply(await _take_measure(ctx, click))


async def _take_measure(ctx: Context, click: MenuItemClick) -> str:
    whom, reason = author(ctx, click), given(click, "Reason")
    if click.menu_item_id == "warn":
        return await warn(ctx, whom, reason)
    if click.menu_item_id == "kick":
        return await kick(ctx, whom, reason)
    if click.menu_item_id == "mute":
        return await mute(ctx, whom, length(click) or timedelta(days=36_500), reason)
    return await ban(ctx, whom.name, length(click), reason)


@command(example="/kick @ann too loud")
@requires("moderator")
async def kick(ctx: Context, whom: Member, reason: Rest = "") -> str:
    """Put a member out, who may come back."""
    check_rank(ctx, whom)
    note(ctx, "kick", whom.name, reason)
    await remove_member(ctx, whom)
    return f"{whom} was put out{because(reason)}."


@command(example="/mute @ann 10m")
@requires("moderator")
async def mute(ctx: Context, whom: Member, length: timedelta, reason: Rest = "") -> str:
    """Keep a member from speaking for a while; a length of 0s lets them speak again."""
    check_rank(ctx, whom)
    seconds = length.total_seconds()
    if seconds:
        mutes[ctx, whom] = ctx.clock() + seconds
    else:
        del mutes[ctx, whom]
    note(ctx, f"mute for {format_duration(seconds)}", whom.name, reason)
    return f"{whom} is muted for {format_duration(seconds)}{because(reason)}." if seconds else f"{whom} may speak again."


@command(example="/warn @ann mind your words")
@requires("moderator")
async def warn(ctx: Context, whom: Member, reason: Rest) -> str:
    """Warn a member, and count it."""
    check_rank(ctx, whom)
    warnings[ctx, whom] += 1
    note(ctx, "warn", whom.name, reason)
    return f"{whom} is warned{because(reason)}. Warnings so far: {warnings[ctx, whom]}."


@command(example="/slow 30s")
@requires("moderator")
async def slow(ctx: Context, length: timedelta) -> str:
    """Say how long members wait between two messages; 0s ends it."""
    pace[ctx] = int(length.total_seconds())
    note(ctx, f"slow {format_duration(pace[ctx])}")
    return f"One message every {format_duration(pace[ctx])} from here on." if pace[ctx] else "The channel is as fast as ever."


@command("role", example="/role @ann moderator")
@requires("owner")
async def change_role(ctx: Context, whom: Member, role: Literal["member", "moderator", "owner"]) -> str:
    """Make somebody a moderator or owner of this channel, or a member like others."""
    if whom.id == ctx.member.id:
        raise CommandError("That is you. Another owner can do it.")
    if whom.agent:
        raise CommandError(f"{whom} is nobody who could look after a channel.")
    set_role(ctx, whom, role)
    note(ctx, f"role {role}", whom.name)
    return f"{whom} is {'a' if role != 'owner' else 'an'} {role} here from now on."


def _check_words(config: Config, event: object) -> None:
    for text in _texts(event):
        if has_word(text, config.words):
            raise CommandError("That has a word that is not wanted here.")
        if config.links == "refuse" and has_foreign_link(text, config.link_hosts):
            raise CommandError("Links are not wanted here.")


def _texts(event: object) -> list[str]:
    if isinstance(event, MessageBody):
        return [event.content.text or ""]
    if isinstance(event, ButtonClick | MenuItemClick):
        return [str(argument.value) for argument in event.arguments or ()]
    return []
