"""Who may not come in: members by their id, and who comes as a new guest from where one of them came."""

from datetime import timedelta

from pydantic import BaseModel

from mooring import (
    CommandError,
    Context,
    Rest,
    SimpleAction,
    Store,
    clip,
    command,
    format_duration,
    remove_member,
    requires,
    suggestion,
)
from mooring.plugins.moderation.audit_log import LONGEST_REASON, note
from mooring.plugins.moderation.departed import find
from mooring.plugins.moderation.ranks import check_rank


class Ban(BaseModel):
    """Somebody who may not come in."""

    name: str = ""
    reason: str = ""
    until: float | None = None
    """Seconds since 1970; None is for ever."""
    address: str = ""
    """From where a guest came, and no other guest may come."""


bans = Store("bans", model=Ban, default=Ban)
banned_addresses = Store("banned_addresses", model=str, default="")
"""The member because of whom, by address."""


def check_ban(ctx: Context, member_id: str) -> None:
    """Raises CommandError for who is banned, and forgets a ban that is over."""
    if not bans.has(ctx, member_id):
        return
    found = bans[ctx, member_id]
    left = None if found.until is None else found.until - ctx.clock()
    if left is None or left > 0:
        so_long = "" if left is None else f" for another {format_duration(left)}"
        raise CommandError(f"You are banned from this channel{so_long}{because(found.reason)}.")
    _take_back(ctx, member_id)


def check_newcomer(ctx: Context, action: SimpleAction) -> None:
    """Raises CommandError for a guest who is new and comes from where somebody else was banned."""
    address = str((action.context or {}).get("address") or "")
    if address and ctx.channel.get(action.sender) is None and banned_addresses.has(ctx, address):
        check_ban(ctx, banned_addresses[ctx, address])


@command(example="/ban @ann 2d spam")
@requires("moderator")
async def ban(ctx: Context, who: str, length: timedelta | None = None, reason: Rest = "") -> str:
    """Put a member out who may not come back, for a time or for ever, be they gone already or not; a guest neither as another one."""
    whom, address = find(ctx, who)
    check_rank(ctx, whom)
    until = None if length is None else ctx.clock() + length.total_seconds()
    bans[ctx, whom] = Ban(name=whom.name, reason=reason[:LONGEST_REASON], until=until, address=address)
    if address:
        banned_addresses[ctx, address] = whom.id
    for_so_long = "" if length is None else f" for {format_duration(length.total_seconds())}"
    note(ctx, f"ban{for_so_long}{', by address as well' if address else ''}", whom.name, reason)
    if ctx.channel.get(whom.id) is not None:
        await remove_member(ctx, whom)
    return f"{whom} is banned{for_so_long}{because(reason)}."


@command(example="/unban ann")
@requires("moderator")
async def unban(ctx: Context, name: str) -> str:
    """Let somebody in again."""
    banned = {each.name.casefold(): member_id for member_id, each in bans.all(ctx).items()}
    member_id = banned.get(name.removeprefix("@").casefold())
    if member_id is None:
        raise CommandError(f"Nobody called {clip(name)} is banned here.{suggestion(name.removeprefix('@'), banned)}")
    _take_back(ctx, member_id)
    note(ctx, "unban", name.removeprefix("@"))
    return f"{clip(name.removeprefix('@'))} may come in again."


def because(reason: str) -> str:
    """The reason at the end of a sentence, if there is one."""
    return f": {clip(reason, LONGEST_REASON)}" if reason else ""


def _take_back(ctx: Context, member_id: str) -> None:
    address = bans[ctx, member_id].address
    if address and banned_addresses[ctx, address] == member_id:
        del banned_addresses[ctx, address]
    del bans[ctx, member_id]
