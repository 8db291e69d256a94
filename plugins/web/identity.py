"""Who somebody is: signed tokens, and the list of those that were given out by hand.

A token is what itsdangerous signs: JSON in base64url, a dot, and the signature, HMAC-SHA-256. Nothing secret is in it, and the service need
not keep it. A visitor who picks a name gets one as a guest; `mooring token create` makes *given* ones, which
carry roles, open the channels with token access, and are kept in a list (without the token itself) so that they can be revoked.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping

import msgspec
from itsdangerous import BadData, BadPayload, URLSafeSerializer
from msgspec import Struct

from mooring import NameIndex, Role
from mooring.plugins.web.token_files import IssuedToken, key_text
from mooring.plugins.web.token_store import TokenStore
from storage import StorageError

EVERY_CHANNEL = "*"
_SALT = "mooring token"
"""Part of what is signed, so that nothing else that might ever be signed with the same key is a token."""


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
    until: int | None = None
    """When it ends, in seconds since 1970; None is never."""

    def role_in(self, channel_id: str) -> Role | None:
        """The role that the token gives there; None leaves it to the channel.

        A given one that names the channel not at all makes a member: what an earlier token gave there has ended with that.
        """
        return self.roles.get(channel_id, self.roles.get(EVERY_CHANNEL, "member" if self.given else None))


class Identities:
    """Makes and checks tokens with the key, and knows the list, that are kept in one place."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._key = store.key()
        self._signer = URLSafeSerializer(self._key, _SALT, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"})
        self._given: dict[str, IssuedToken] = {}
        self._names = NameIndex()
        self.changes = 0
        """How often another list was taken over. Who has to act on each looks at this: whoever reloads first is the only one to be told."""
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

    def give(self, name: str, roles: Mapping[str, Role], seconds: float | None = None) -> tuple[Identity, str]:
        """A new person whose token can be revoked, and the token, which is good for so long; without a time, until it is revoked.

        The same name again is the same person, and the new token takes the place of the earlier ones, which are revoked.
        """
        identity = self._store.change(lambda given: _enter(given, name, roles, seconds))
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

    def reload(self) -> None:
        """Take over the list if another process changed it. It may read the disk or ask a server."""
        news = self._store.news()
        if news is None:
            return
        names = NameIndex()
        for line in news.values():
            if line.revoked is None:
                names.add(line.member_id, line.name)
        self._given, self._names = news, names
        self.changes += 1

    def is_given(self, name: str) -> bool:
        """Whether somebody was given this name, or one that looks like it, be they here or not."""
        return self._names.owner(name) is not None

    def token(self, identity: Identity) -> str:
        """The token that says this."""
        return str(self._signer.dumps(msgspec.to_builtins(identity)))

    def check(self, token: str) -> Identity:
        """What a token says. Raises TokenRefused if it was not made here, was revoked or has ended."""
        try:
            identity = msgspec.convert(self._signer.loads(token.encode("utf-8", "replace")), Identity)
        except (BadPayload, msgspec.ValidationError) as error:
            raise TokenRefused("This token is of a kind that this service no longer reads.") from error
        except BadData as error:
            raise TokenRefused("This token was not made by this service.") from error
        if _has_ended(identity):
            raise TokenRefused("This token has ended. Ask the operator for another.")
        if identity.given and identity.token_id not in self._given:
            self._look_again()
        if not self.still_good(identity):
            raise TokenRefused("This token was revoked.")
        return identity

    def _look_again(self) -> None:
        """For a token that was signed here and is not in the list: it may have been made a moment ago, by the command line."""
        try:
            self.reload()
        except StorageError as error:
            raise TokenRefused("Whether this token is good cannot be seen at the moment. Try again soon.") from error

    def still_good(self, identity: Identity) -> bool:
        """False once a given token was revoked or has ended."""
        if not identity.given:
            return True
        if _has_ended(identity):
            return False
        line = self._given.get(identity.token_id)
        return line is not None and line.revoked is None


def _has_ended(identity: Identity) -> bool:
    return identity.until is not None and time.time() >= identity.until


def _enter(given: dict[str, IssuedToken], name: str, roles: Mapping[str, Role], seconds: float | None) -> Identity:
    now = int(time.time())
    earlier = next((line.member_id for line in given.values() if line.name == name), None)
    _revoke(given, name)
    until = None if seconds is None else now + int(seconds)
    identity = Identity(secrets.token_hex(8), earlier or f"m-{secrets.token_hex(8)}", name, now, True, dict(roles), until)
    given[identity.token_id] = IssuedToken(identity.member_id, name, dict(roles), identity.made, until=until)
    return identity


def _revoke(given: dict[str, IssuedToken], name_or_token_id: str) -> list[str]:
    revoked = [token_id for token_id, line in given.items() if line.revoked is None and name_or_token_id in {token_id, line.name}]
    for token_id in revoked:
        given[token_id].revoked = int(time.time())
    return revoked
