"""What members may do: the roles, which a token or a service gives and each channel keeps of its own members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["member", "moderator", "owner"]

ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most; each may do what those before it may."""

IN_CHARGE = frozenset(ROLES[1:])
"""Roles that are told what only those need to know who look after the channel."""


@dataclass(frozen=True)
class Standing:
    """How somebody came into a channel, besides their name and role."""

    is_name_given: bool = False
    """Whether somebody in charge gave them their name, which is theirs before anybody's who picked it."""
    is_guest: bool = False
    """Whether they picked a name and nothing else is known of them; who stays away for long is forgotten, and the name free."""
    address: str = ""
    """From where a guest came last, if the gateway knows; nobody is shown it."""
    has_acted: bool = True
    """Whether a guest has ever done more than come and go. Who has not is forgotten soon after they left, and keeps nobody else out."""
    idle: float = 0.0
    """For how many seconds a guest was not seen, to the day or so; 0 for who is here, and for who is no guest."""


def noted_seconds(guest_seconds: float) -> float:
    """How old what is kept of when a guest was seen may be, who is forgotten after so long: nothing is written for who comes back sooner."""
    return min(86_400.0, guest_seconds / 10)


def rank(role: str | None) -> int:
    """How much a role may do. What is none counts as the least."""
    return ROLES.index(role) if role in ROLES else 0
