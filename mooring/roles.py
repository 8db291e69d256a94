"""What members may do: the roles, which a token or a service gives and each channel keeps of its own members."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["member", "moderator", "owner"]

ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most; each may do what those before it may."""

IN_CHARGE = frozenset(ROLES[1:])
"""Roles that are told what only those need to know who look after the channel."""


def rank(role: str | None) -> int:
    """How much a role may do. What is none counts as the least."""
    return ROLES.index(role) if role in ROLES else 0
