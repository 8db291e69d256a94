"""Rules that a command sets: who may use it, how often, and how many runs at a time.

They are noted on the function by decorators, in any order, above or below `@command`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from mooring.commands.people import Member
from mooring.durations import parse_duration
from mooring.errors import CommandError
from mooring.roles import ROLES, rank

Handler = TypeVar("Handler", bound=Callable[..., Any])
Scope = Literal["member", "channel"]
_MARK = "__mooring_rules__"


@dataclass(frozen=True)
class Cooldown:
    """How long a command rests after a use, for its member or for everybody in the channel."""

    seconds: float
    scope: Scope


@dataclass(frozen=True)
class Rules:
    """The rules of one command."""

    role: str | None = None
    cooldowns: tuple[Cooldown, ...] = ()
    runs: int | None = None
    groups: tuple[str, ...] = ()
    """Names of groups whose members may use it as well, whatever their role."""
    members: frozenset[str] = frozenset()
    """The ids of all of them."""


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


def cooldown(length: str, *, per: Scope = "member") -> Callable[[Handler], Handler]:
    """Let the command rest for `length` (`"10s"`, `"5m"`) after each use; `per="channel"` is one rest for all members.

    Both may stand on one command. Rests are kept in the channel's storage, so they outlast a restart; a use that was undone
    does not count. A member who tries too early is told how long it still rests.
    """
    if per not in {"member", "channel"}:
        raise ValueError(f'per={per!r} must be "member" or "channel"')
    added = Cooldown(parse_duration(length).total_seconds(), per)
    return lambda function: _note(function, cooldowns=(*rules_of(function).cooldowns, added))


def at_most(runs: int) -> Callable[[Handler], Handler]:
    """Let at most `runs` runs of the command go on at a time in this process, whatever the channel, its work in the background included."""
    if runs < 1:
        raise ValueError("a command that may never run is better removed")
    return lambda function: _note(function, runs=runs)


def allows(rules: Rules, member: Member) -> bool:
    """Whether the member's role is enough, or a group that they are in."""
    return rules.role is None or rank(member.role) >= rank(rules.role) or member.id in rules.members


def audience(rules: Rules) -> str:
    """Who may use it, in words; empty for everybody."""
    if rules.role in {None, ROLES[0]}:
        return ""
    return " and ".join([f"{rules.role}s of this channel", *rules.groups])


def check_role(command: str, rules: Rules, member: Member) -> None:
    """Raise CommandError if the member may not use it."""
    if not allows(rules, member):
        raise CommandError(f"/{command} is for {audience(rules)}.")
