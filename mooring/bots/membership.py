"""What plugins may do to members: put them out, and change what they may do."""

from __future__ import annotations

from collections.abc import Container

from mooring.bots.calling import run_hooks
from mooring.bots.context import Context
from mooring.channels.ignores import MOST_IGNORED
from mooring.commands.people import Member
from mooring.errors import CommandError
from mooring.events import SimpleAction
from mooring.roles import ROLES, Role


async def remove_member(ctx: Context, member: Member) -> None:
    """Put a member out of the channel, as if they had left: `on_leave` runs, and their screens show it no more. They may come back.

    Raises CommandError if they are not there any more.
    """
    turn = ctx._turn
    _check_is_here(member, turn.members)
    await run_hooks(ctx.for_plugin(ctx.plugin, member_id=member.id), "on_leave", SimpleAction("leave", turn.channel_id, member.id))
    turn.members.leave(member.id)


def set_role(ctx: Context, member: Member, role: Role) -> None:
    """Give a member another role in this channel. It stays theirs when they come back, whatever role their token has.

    Raises CommandError if they are not there any more, and ValueError for what is no role.
    """
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role; use one of {', '.join(ROLES)}")
    turn = ctx._turn
    _check_is_here(member, turn.members)
    turn.members.set_role(member.id, role)


def take_role(ctx: Context, member_id: str, role: Role | None) -> None:
    """Let a member have the role that their token has by now in this channel, or None if they have no good token any more.

    What the channel itself has decided (`set_role`) stays, but nobody looks after it whose token is no good any more. Strangers stay strangers.
    """
    turn = ctx._turn
    if member_id in turn.members:
        turn.members.take_role(member_id, role)


def address_of(ctx: Context, member: Member) -> str:
    """From where a guest came in last, an IPv4 address or an IPv6 network; empty if the gateway does not know, and for who is no guest.

    It is nobody's business but of those who keep others out: do not show it.
    """
    standing = ctx._turn.members.standing(member.id, ctx.clock())
    return "" if standing is None else standing.address


def set_ignored(ctx: Context, member: Member, ignored: bool) -> None:
    """Let the acting member hear nothing of another from now on, or hear them again: what they say, or have said, neither comes nor is found.

    Nobody else learns of it; it ends when one who ignores leaves. Raises CommandError for oneself, for agents, and for too many.
    """
    turn = ctx._turn
    member_id = ctx.member.id
    if member.id == member_id:
        raise CommandError("That is you.")
    if member.agent:
        raise CommandError(f"{member} is nobody who could be ignored.")
    before = turn.ignores.in_turn(member_id)
    after = {*before, member.id} if ignored else set(before) - {member.id}
    if len(after) > MOST_IGNORED:
        raise CommandError(f"You ignore {MOST_IGNORED} others already, and one can ignore no more.")
    turn.ignores.put(member_id, after)
    ctx.after_commit(lambda: turn.ignores.catch_up([member_id]))


def ignored_members(ctx: Context) -> list[str]:
    """The ids of those of whom the acting member hears nothing; some may have left."""
    return ctx._turn.ignores.in_turn(ctx.member.id)


def _check_is_here(member: Member, members: Container[str]) -> None:
    if member.id not in members:
        raise CommandError(f"{member} is not here any more.")
