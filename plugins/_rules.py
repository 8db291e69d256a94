"""Rules that a command sets: who may use it, how often, and how many at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from plugins._errors import CommandError
from plugins._people import Member

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__mooring_rules__"

ROLES = ("member", "moderator", "owner")
"""From the least to the most; each may do what those before it may."""


@dataclass(frozen=True)
class Rules:
    """The rules of one command."""

    role: str | None = None


def rules_of(function: Callable[..., Any]) -> Rules:
    """The rules that decorators noted on a handler."""
    rules: Rules = getattr(function, _MARK, Rules())
    return rules


def _note(function: Handler, **changes: Any) -> Handler:
    setattr(function, _MARK, replace(rules_of(function), **changes))
    return function


def requires(role: str) -> Callable[[Handler], Handler]:
    """Let only members use the command who have `role` or one above it: `@requires("moderator")`."""
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role; use one of {', '.join(ROLES)}")
    return lambda function: _note(function, role=role)


def allows(rules: Rules, member: Member) -> bool:
    """Whether the member's role is enough."""
    return rules.role is None or ROLES.index(member.role) >= ROLES.index(rules.role)


def check_role(command: str, rules: Rules, member: Member) -> None:
    """Raise CommandError if the member's role is not enough."""
    if not allows(rules, member):
        raise CommandError(f"/{command} is for {rules.role}s of this channel.")
