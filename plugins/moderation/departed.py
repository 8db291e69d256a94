"""Who has left lately, so that to leave is no way out of a ban."""

from pydantic import BaseModel

from mooring import CommandError, Context, Member, Store, address_of

_REMEMBERED = 200


class Departed(BaseModel):
    """Somebody who has left."""

    member_id: str = ""
    name: str = ""
    role: str = "member"
    address: str = ""


departed = Store("departed", model=Departed, default=Departed)
"""The newest of them, by number modulo how many are remembered, as text of three digits."""
departures = Store("departures", model=int, default=0, scope="channel")


def remember(ctx: Context) -> None:
    """The acting member leaves."""
    member = ctx.member
    number = departures[ctx] = departures[ctx] + 1
    left = Departed(member_id=member.id, name=member.name, role=member.role, address=address_of(ctx, member))
    departed[ctx, f"{number % _REMEMBERED:03}"] = left


def find(ctx: Context, name: str) -> tuple[Member, str]:
    """A member, or one who has left lately, and from where they came, as far as that is known. Raises CommandError."""
    try:
        member = ctx.channel.find(name)
    except CommandError:
        left = _newest(ctx, name.removeprefix("@"))
        if left is None:
            raise
        is_back = ctx.channel.get(left.member_id)
        if is_back is None:
            return Member(left.member_id, left.name, left.role, online=False), left.address
        member = is_back
    return member, address_of(ctx, member)


def _newest(ctx: Context, name: str) -> Departed | None:
    last = departures[ctx]
    for number in range(last, max(0, last - _REMEMBERED), -1):
        left = departed[ctx, f"{number % _REMEMBERED:03}"]
        if name.casefold() in {left.name.casefold(), left.member_id}:
            return left
    return None
