"""Moderation: put members out, ban, mute and warn them, slow a channel down, and keep out words and links."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mooring import (
    ROLES,
    ButtonClick,
    CommandError,
    Context,
    Member,
    MenuItem,
    MenuItemClick,
    MessageBody,
    Rest,
    SimpleAction,
    Store,
    clip,
    command,
    format_duration,
    remove_member,
    requires,
    set_role,
    suggestion,
    table,
    types,
)
from mooring.plugins.moderation.filters import has_foreign_link, has_word

_DELETE = "delete"
_REASON_LENGTH = 300


class Config(BaseModel):
    """What nobody but those in charge may say, and how much is remembered."""

    model_config = ConfigDict(extra="forbid")
    words: list[str] = Field(default_factory=list)
    links: Literal["allow", "refuse"] = "allow"
    link_hosts: list[str] = Field(default_factory=list)
    """Hosts that may be linked to where links are refused; those below them, too."""
    audit_length: int = Field(default=1000, ge=1)


class Ban(BaseModel):
    """Somebody who may not come in."""

    name: str = ""
    reason: str = ""
    until: float | None = None
    """Seconds since 1970; None is for ever."""


class Entry(BaseModel):
    """What somebody in charge has done."""

    at: float = 0.0
    by: str = ""
    what: str = ""
    whom: str = ""
    why: str = ""


bans = Store("bans", model=Ban, default=Ban)
mutes = Store("mutes", model=float, default=0.0)
"""Until when somebody may not speak."""
warnings = Store("warnings", model=int, default=0)
spoke = Store("spoke", model=float, default=0.0)
"""When somebody spoke last, as far as it matters."""
pace = Store("pace", model=int, default=0, scope="channel")
"""Seconds between two messages of one member."""
audit = Store("audit", model=Entry, default=Entry)
"""By number, as text of ten digits."""
audited = Store("audited", model=int, default=0, scope="channel")


async def check_event(ctx: Context, event: object) -> None:
    """Refuse what the banned and the muted do, what comes too fast, and what may not be said."""
    if isinstance(event, SimpleAction):
        _check_ban(ctx, event.sender)
        return
    _check_ban(ctx, ctx.member.id)
    if _is_in_charge(ctx.member):
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
    """Offer what those in charge can do with a message."""
    _offer(ctx)


async def on_refresh(ctx: Context, action: SimpleAction) -> None:
    """The same, for who was made a moderator meanwhile."""
    _offer(ctx)


async def on_menu_item_click(ctx: Context, click: MenuItemClick) -> None:
    """Delete the message that was chosen."""
    if click.menu_item_id == _DELETE:
        if not _is_in_charge(ctx.member):
            raise CommandError("That is for moderators of this channel.")
        message_id = click.message_id or ""
        message = ctx.messages.get(message_id)
        ctx.messages.delete(message_id)
        sender = None if message is None or message.sender is None else ctx.channel.get(message.sender)
        _note(ctx, "delete", "?" if sender is None else sender.name, "")


@command(example="/kick @ann too loud")
@requires("moderator")
async def kick(ctx: Context, whom: Member, reason: Rest = "") -> str:
    """Put a member out, who may come back."""
    _check_rank(ctx, whom)
    _note(ctx, "kick", whom.name, reason)
    await remove_member(ctx, whom)
    return f"{whom} was put out{_because(reason)}."


@command(example="/ban @ann 2d spam")
@requires("moderator")
async def ban(ctx: Context, whom: Member, length: timedelta | None = None, reason: Rest = "") -> str:
    """Put a member out who may not come back, for a time or for ever."""
    _check_rank(ctx, whom)
    until = None if length is None else ctx.clock() + length.total_seconds()
    bans[ctx, whom] = Ban(name=whom.name, reason=reason[:_REASON_LENGTH], until=until)
    for_so_long = "" if length is None else f" for {format_duration(length.total_seconds())}"
    _note(ctx, f"ban{for_so_long}", whom.name, reason)
    await remove_member(ctx, whom)
    return f"{whom} is banned{for_so_long}{_because(reason)}."


@command(example="/unban ann")
@requires("moderator")
async def unban(ctx: Context, name: str) -> str:
    """Let somebody in again."""
    banned = {each.name.casefold(): member_id for member_id, each in bans.all(ctx).items()}
    member_id = banned.get(name.removeprefix("@").casefold())
    if member_id is None:
        raise CommandError(f"Nobody called {clip(name)} is banned here.{suggestion(name.removeprefix('@'), banned)}")
    del bans[ctx, member_id]
    _note(ctx, "unban", name.removeprefix("@"), "")
    return f"{clip(name.removeprefix('@'))} may come in again."


@command(example="/mute @ann 10m")
@requires("moderator")
async def mute(ctx: Context, whom: Member, length: timedelta, reason: Rest = "") -> str:
    """Keep a member from speaking for a while; a length of 0s lets them speak again."""
    _check_rank(ctx, whom)
    seconds = length.total_seconds()
    if seconds:
        mutes[ctx, whom] = ctx.clock() + seconds
    else:
        del mutes[ctx, whom]
    _note(ctx, f"mute for {format_duration(seconds)}", whom.name, reason)
    return f"{whom} is muted for {format_duration(seconds)}{_because(reason)}." if seconds else f"{whom} may speak again."


@command(example="/warn @ann mind your words")
@requires("moderator")
async def warn(ctx: Context, whom: Member, reason: Rest) -> str:
    """Warn a member, and count it."""
    _check_rank(ctx, whom)
    warnings[ctx, whom] += 1
    _note(ctx, "warn", whom.name, reason)
    return f"{whom} is warned{_because(reason)}. Warnings so far: {warnings[ctx, whom]}."


@command(example="/slow 30s")
@requires("moderator")
async def slow(ctx: Context, length: timedelta) -> str:
    """Say how long members wait between two messages; 0s ends it."""
    pace[ctx] = int(length.total_seconds())
    _note(ctx, f"slow {format_duration(pace[ctx])}", "", "")
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
    _note(ctx, f"role {role}", whom.name, "")
    return f"{whom} is {'a' if role != 'owner' else 'an'} {role} here from now on."


@command("audit", example="/audit 20")
@requires("moderator")
async def show_audit(ctx: Context, count: int = 20) -> None:
    """Show what those in charge have done, the newest first."""
    newest = sorted(audit.all(ctx).items(), reverse=True)[: max(1, count)]
    rows = [[_when(ctx, each.at), each.by, each.what, each.whom, each.why] for _, each in newest]
    ctx.tell(ctx.member, table(["ago", "who", "did", "to whom", "why"], rows, "Audit") if rows else "Nothing was done so far.")


def _offer(ctx: Context) -> None:
    if _is_in_charge(ctx.member):
        ctx.menu([MenuItem(_DELETE, "Delete for everybody", types.ALL)], to=[ctx.member])


def _check_ban(ctx: Context, member_id: str) -> None:
    if not bans.has(ctx, member_id):
        return
    found = bans[ctx, member_id]
    left = None if found.until is None else found.until - ctx.clock()
    if left is None or left > 0:
        so_long = "" if left is None else f" for another {format_duration(left)}"
        raise CommandError(f"You are banned from this channel{so_long}{_because(found.reason)}.")
    del bans[ctx, member_id]


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


def _check_rank(ctx: Context, whom: Member) -> None:
    if whom.id == ctx.member.id:
        raise CommandError("That is you.")
    if whom.agent or ROLES.index(_role(whom)) >= ROLES.index(_role(ctx.member)):
        raise CommandError(f"{whom} is not for you to moderate.")


def _role(member: Member) -> Literal["member", "moderator", "owner"]:
    return next((role for role in ROLES if role == member.role), ROLES[0])


def _is_in_charge(member: Member) -> bool:
    return member.role in ROLES[1:]


def _because(reason: str) -> str:
    return f": {clip(reason, _REASON_LENGTH)}" if reason else ""


def _note(ctx: Context, what: str, whom: str, why: str) -> None:
    number = audited[ctx] = audited[ctx] + 1
    audit[ctx, f"{number:010}"] = Entry(at=ctx.clock(), by=ctx.member.name, what=what, whom=whom, why=why[:_REASON_LENGTH])
    del audit[ctx, f"{max(0, number - ctx.config.audit_length):010}"]


def _when(ctx: Context, at: float) -> str:
    return format_duration(max(0.0, ctx.clock() - at))
