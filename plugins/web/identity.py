"""Who somebody is: signed tokens, and the list of those that were given out by hand.

A token is `<payload>.<signature>`, both base64url; the payload is JSON, the signature HMAC-SHA-256. Nothing secret is in it, and
the service need not keep it. A visitor who picks a name gets one as a guest; `mooring token create` makes *given* ones, which
carry roles, open the channels with token access, and are kept in a list (without the token itself) so that they can be revoked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from mooring import Role
from mooring.plugins.web.token_files import IssuedToken, key_text
from mooring.plugins.web.token_store import TokenStore

EVERY_CHANNEL = "*"


class TokenRefused(Exception):
    """The token proves nothing here; the text says so to its bearer, without details that help a forger."""


class Identity(Struct, frozen=True):
    """What a token says. `roles` goes by channel id, or `*` for all; guests have none."""

    token_id: str
    member_id: str
    name: str
    made: int
    given: bool = False
    roles: dict[str, Role] = {}

    def role_in(self, channel_id: str) -> Role | None:
        """The role that the token gives there; None leaves it to the channel."""
        return self.roles.get(channel_id, self.roles.get(EVERY_CHANNEL))


class Identities:
    """Makes and checks tokens with the key, and knows the list, that are kept in one place."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._key = store.key()
        self._given: dict[str, IssuedToken] = {}
        self.reload()

    def secrets(self) -> list[str]:
        """What no log may show: the key, as it is kept."""
        return [key_text(self._key)]

    def close(self) -> None:
        """Close the place."""
        self._store.close()

    def guest(self, name: str) -> Identity:
        """A new person."""
        return Identity(secrets.token_hex(8), f"m-{secrets.token_hex(8)}", name, int(time.time()))

    def give(self, name: str, roles: Mapping[str, Role]) -> tuple[Identity, str]:
        """A new person whose token can be revoked, and the token. The same name again is the same person."""
        identity = self._store.change(lambda given: _enter(given, name, roles))
        self.reload()
        return identity, self.token(identity)

    def revoke(self, name_or_token_id: str) -> list[str]:
        """Revoke one given token, or all of a name; returns the ids of those that were good until now."""
        revoked = self._store.change(lambda given: _revoke(given, name_or_token_id))
        self.reload()
        return revoked

    def given(self) -> Mapping[str, IssuedToken]:
        """The given tokens by token id, revoked ones too."""
        return self._given

    def reload(self) -> bool:
        """Look whether another process changed the list; true if it did. It may read the disk or ask a server."""
        news = self._store.news()
        if news is None:
            return False
        self._given = news
        return True

    def token(self, identity: Identity) -> str:
        """The token that says this."""
        payload = base64.urlsafe_b64encode(msgspec.json.encode(identity)).rstrip(b"=")
        return f"{payload.decode()}.{self._sign(payload)}"

    def check(self, token: str) -> Identity:
        """What a token says. Raises TokenRefused if it was not made here or was revoked."""
        payload, _, signature = token.encode("utf-8", "replace").partition(b".")
        if not hmac.compare_digest(self._sign(payload).encode(), signature):
            raise TokenRefused("This token was not made by this service.")
        try:
            identity = msgspec.json.decode(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), type=Identity)
        except (binascii.Error, msgspec.DecodeError) as error:
            raise TokenRefused("This token is of a kind that this service no longer reads.") from error
        if not self.still_good(identity):
            raise TokenRefused("This token was revoked.")
        return identity

    def still_good(self, identity: Identity) -> bool:
        """False once a given token was revoked."""
        if not identity.given:
            return True
        line = self._given.get(identity.token_id)
        return line is not None and line.revoked is None

    def _sign(self, payload: bytes) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, payload, hashlib.sha256)).rstrip(b"=").decode()


def _enter(given: dict[str, IssuedToken], name: str, roles: Mapping[str, Role]) -> Identity:
    earlier = next((line.member_id for line in given.values() if line.name == name), None)
    identity = Identity(secrets.token_hex(8), earlier or f"m-{secrets.token_hex(8)}", name, int(time.time()), True, dict(roles))
    given[identity.token_id] = IssuedToken(identity.member_id, name, dict(roles), identity.made)
    return identity


def _revoke(given: dict[str, IssuedToken], name_or_token_id: str) -> list[str]:
    revoked = [token_id for token_id, line in given.items() if line.revoked is None and name_or_token_id in {token_id, line.name}]
    for token_id in revoked:
        given[token_id].revoked = int(time.time())
    return revoked
