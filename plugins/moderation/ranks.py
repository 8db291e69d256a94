"""Who may do something to whom."""

from __future__ import annotations

from mooring import ROLES, CommandError, Context, Member, Role


def is_in_charge(member: Member) -> bool:
    """Whether a member looks after the channel."""
    return member.role in ROLES[1:]


def check_rank(ctx: Context, whom: Member) -> None:
    """Raises CommandError unless the acting member is above the other."""
    if whom.id == ctx.member.id:
        raise CommandError("That is you.")
    if whom.agent or ROLES.index(_role(whom)) >= ROLES.index(_role(ctx.member)):
        raise CommandError(f"{whom} is not for you to moderate.")


def _role(member: Member) -> Role:
    return next((role for role in ROLES if role == member.role), ROLES[0])
