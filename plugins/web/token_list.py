"""The list of tokens that were given out: its lines, and what can be done to it. Whoever keeps it hands it in, by token id."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

from msgspec import Struct

from mooring import Role

EVERY_CHANNEL = "*"


class TokenRefused(Exception):
    """The token proves nothing here; the text says so to its bearer, without details that help a forger."""


class IssuedToken(Struct):
    """A token that was given out, or the end of a guest.

    Once a member is in the list, nothing but the good tokens in it makes somebody that member.
    """

    member_id: str
    name: str
    roles: dict[str, Role]
    made: int
    revoked: int | None = None
    until: int | None = None
    used: bool = False
    """Whether somebody has come in with it."""
    guest: bool = False
    """Whether this is no token but the end of a guest."""


def role_in(roles: Mapping[str, Role], channel_id: str) -> Role:
    """The role that a given token has in a channel; it makes a member where it names none."""
    return roles.get(channel_id, roles.get(EVERY_CHANNEL, "member"))


def is_good(line: IssuedToken) -> bool:
    """Whether it is neither revoked nor over."""
    return line.revoked is None and (line.until is None or time.time() < line.until)


def enter(given: dict[str, IssuedToken], name: str, roles: Mapping[str, Role], seconds: float | None) -> tuple[str, IssuedToken]:
    """A new token, for the member who had the earlier ones of its name; those are revoked."""
    now = int(time.time())
    earlier = next((line.member_id for line in given.values() if line.name == name and not line.guest), None)
    revoke(given, name)
    token_id, until = secrets.token_hex(8), None if seconds is None else now + int(seconds)
    given[token_id] = IssuedToken(earlier or f"m-{secrets.token_hex(8)}", name, dict(roles), now, until=until)
    return token_id, given[token_id]


def revoke(given: dict[str, IssuedToken], name_or_token_id: str) -> list[str]:
    """Revoke a token, or all of a name; the result are the ids of those that were not revoked yet."""
    revoked = [token_id for token_id, line in given.items() if line.revoked is None and name_or_token_id in {token_id, line.name}]
    for token_id in revoked:
        given[token_id].revoked = int(time.time())
    return revoked


def turn_out(given: dict[str, IssuedToken], member_id: str, name: str) -> None:
    """Note that a guest is one no more."""
    now = int(time.time())
    given[secrets.token_hex(8)] = IssuedToken(member_id, name, {}, now, revoked=now, guest=True)


def move(given: dict[str, IssuedToken], token_id: str, member_id: str) -> None:
    """Let a token that nobody has used yet, and the earlier ones of its name, be for a member who has none. Raises TokenRefused."""
    own = [line for line in given.values() if line.member_id == given[token_id].member_id]
    if any(line.used for line in own):
        raise TokenRefused("This token, or an earlier one of its name, was used by another member. Come in with the token alone.")
    if not is_good(given[token_id]) or any(line.member_id == member_id for line in given.values()):
        raise TokenRefused("This token was revoked, or the guest is one no more.")
    for line in own:
        line.member_id = member_id


def note_used(given: dict[str, IssuedToken], token_ids: set[str]) -> None:
    """Note that somebody has come in with these."""
    for token_id in token_ids & given.keys():
        given[token_id].used = True
