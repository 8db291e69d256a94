"""Who somebody is: signed tokens, and the list of those that were given out by hand.

A token is what itsdangerous signs: JSON in base64url, a dot, and the signature, HMAC-SHA-256. Nothing secret is in it, and the service need
not keep it. A visitor who picks a name gets one as a guest; `mooring token create` makes *given* ones, which
carry roles, open the channels with token access, and are kept in a list (without the token itself) so that they can be revoked.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from itsdangerous import BadData, BadPayload
from msgspec import Struct
from msgspec.structs import replace

from mooring import NameIndex, Role
from mooring.plugins.web import token_list
from mooring.plugins.web.signing import Signer, SigningKeys
from mooring.plugins.web.token_list import EVERY_CHANNEL, IssuedToken, TokenRefused, is_good, role_in
from mooring.plugins.web.token_store import TokenStore

__all__ = ["EVERY_CHANNEL", "Identities", "Identity", "TokenRefused"]


class Identity(Struct, frozen=True, omit_defaults=True):
    """What a token says. `roles` goes by channel id, or `*` for all; guests have none."""

    token_id: str
    member_id: str
    name: str
    made: int
    given: bool = False
    roles: dict[str, Role] = {}
    until: int | None = None
    """When it ends, in seconds since 1970; None is never."""
    signed_with: str = ""
    """The id of the key, which the signature tells and not the token."""

    def role_in(self, channel_id: str) -> Role | None:
        """The role that the token gives there; None leaves it to the channel.

        A given one that names the channel not at all makes a member: what an earlier token gave there has ended with that.
        """
        return role_in(self.roles, channel_id) if self.given else None


class Identities:
    """Makes and checks tokens with the keys, and knows the list, that are kept in one place."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._keys: SigningKeys
        self._signer: Signer
        self._given: dict[str, IssuedToken] = {}
        self._by_member: dict[str, dict[str, IssuedToken]] = {}
        """The lines about each member, by token id."""
        self._names = NameIndex()
        self._ends: list[int] = []
        """When keys and tokens end that are good now."""
        self._used: set[str] = set()
        """Tokens with which somebody has come in, which is to be noted in the list."""
        self._reloading = threading.Lock()
        self.changes = 0
        """How often what is good changed. Who has to act on each looks at this: whoever reloads first is the only one to be told."""
        self.reload()

    def secrets(self) -> list[str]:
        """What no log may show: the keys, as they are kept."""
        return [base64.b64encode(key).decode() for key in (self._keys.key, *(each.key for each in self._keys.older))]

    def close(self) -> None:
        """Close the place."""
        self._store.close()

    def guest(self, name: str) -> Identity:
        """A new person."""
        return Identity(secrets.token_hex(8), f"m-{secrets.token_hex(8)}", name, int(time.time()), signed_with=self._signer.newest)

    def give(self, name: str, roles: Mapping[str, Role], seconds: float | None = None) -> tuple[Identity, str]:
        """A new person whose token can be revoked, and the token, which is good for so long; without a time, until it is revoked.

        The same name again is the same person, and the new token takes the place of the earlier ones, which are revoked.
        """
        token_id, line = self._store.change(lambda given: token_list.enter(given, name, roles, seconds))
        self.reload()
        identity = Identity(token_id, line.member_id, name, line.made, True, line.roles, line.until, self._signer.newest)
        return identity, self.token(identity)

    def revoke(self, name_or_token_id: str) -> list[str]:
        """Revoke one given token, or all of a name; returns the ids of those that were good until now."""
        revoked = self._store.change(lambda given: token_list.revoke(given, name_or_token_id))
        self.reload()
        return revoked

    def turn_out(self, member_id: str, name: str) -> None:
        """End a guest: whatever makes somebody this member, if they have no token, is good no more."""
        self._store.change(lambda given: token_list.turn_out(given, member_id, name))
        self.reload()

    def trade_in(self, token: str, guest_token: str) -> Identity:
        """Let a guest become who a token makes them, and stay the member that they are. May write, which blocks.

        Raises TokenRefused if one of the tokens is no good, or the given one was used already, so that it is another member's.
        The same again changes nothing.
        """
        if self.is_unknown(token):
            self.look_up()
        identity, guest = self.check(token), self._read(guest_token)
        if not identity.given or guest.given:
            raise TokenRefused("What is traded in is the token of a guest, for one that the operator gave.")
        if identity.member_id == guest.member_id:
            return identity
        self._check_good(guest)
        self._store.change(lambda given: token_list.move(given, identity.token_id, guest.member_id))
        self.reload()
        return self.check(token)

    def rotate(self, seconds: float) -> None:
        """Sign with a new key from now on; what the earlier ones have signed is good for so long."""
        self._store.change_keys(lambda keys: keys.rotated(seconds))
        self.reload()

    def given(self) -> Mapping[str, IssuedToken]:
        """The given tokens by token id, revoked ones too, and the guests who were turned out."""
        return self._given

    def members(self) -> Mapping[str, Mapping[str, IssuedToken]]:
        """The members who are in the list, with their lines by token id."""
        return self._by_member

    def is_turned_out(self, member_id: str) -> bool:
        """Whether a guest is one no more, and has no token either."""
        lines = self._by_member.get(member_id, {}).values()
        return any(line.guest for line in lines) and not any(is_good(line) for line in lines)

    def role_of(self, member_id: str, channel_id: str) -> Role | None:
        """The role that a member's good token gives in a channel; None if there is none, or none any more."""
        good = [line for line in self._by_member.get(member_id, {}).values() if is_good(line)]
        return role_in(max(good, key=lambda line: line.made).roles, channel_id) if good else None

    def reload(self) -> None:
        """Take over keys and list if they changed, here or elsewhere. It may read the disk or ask a server."""
        with self._reloading:
            news = self._store.news()
            if news is not None:
                self._take(news.keys, news.tokens)
            elif any(end <= time.time() for end in self._ends):
                self._take(self._keys, self._given)

    def _take(self, keys: SigningKeys, given: dict[str, IssuedToken]) -> None:
        names = NameIndex()
        by_member: dict[str, dict[str, IssuedToken]] = {}
        for token_id, line in given.items():
            by_member.setdefault(line.member_id, {})[token_id] = line
            if line.revoked is None:
                names.add(line.member_id, line.name)
        now = time.time()
        ends = [*(each.until for each in keys.older), *(line.until for line in given.values() if line.until is not None)]
        self._keys, self._signer = keys, Signer(keys)
        self._given, self._by_member, self._names = given, by_member, names
        self._ends = [end for end in ends if end > now]
        self.changes += 1

    def note_used(self) -> None:
        """Write down which tokens somebody has come in with. It may write, which blocks."""
        used = set(self._used)
        if used:
            self._store.change(lambda given: token_list.note_used(given, used))
            self._used -= used  # not before: what cannot be written now is written the next time

    def is_given(self, name: str, besides: str = "") -> bool:
        """Whether somebody else was given this name, or one that looks like it, be they here or not."""
        return self._names.owner(name, besides) is not None

    def token(self, identity: Identity) -> str:
        """The token that says this."""
        return self._signer.sign(msgspec.to_builtins(replace(identity, signed_with="")))

    def check(self, token: str) -> Identity:
        """What a token says. Raises TokenRefused if it was not made here, was revoked or has ended, and StorageError if that cannot be seen now."""
        identity = self._read(token)
        line = self._given.get(identity.token_id)
        if identity.given and (line is None or not line.used):
            self.reload()  # it may have been made, or traded in, a moment ago, by another process
            line = self._given.get(identity.token_id)
        if line is not None:
            identity = replace(identity, member_id=line.member_id)  # a guest who traded it in has stayed who they were
        self._check_good(identity)
        return identity

    def is_unknown(self, token: str) -> bool:
        """Whether a token that was signed here is in no list that this process has: another process may have given it a moment ago."""
        with suppress(TokenRefused):
            identity = self._read(token)
            return identity.given and identity.token_id not in self._given
        return False

    def look_up(self) -> None:
        """Have the list as it is now. It may ask a server, and blocks. Raises StorageError."""
        self._store.refresh()
        self.reload()

    def came_in(self, identity: Identity) -> None:
        """Somebody came in with a token; nobody can trade it in any more."""
        line = self._given.get(identity.token_id)
        if line is not None and not line.used:
            self._used.add(identity.token_id)
            line.used = True

    def _read(self, token: str) -> Identity:
        try:
            said, key_id = self._signer.read(token)
            return replace(msgspec.convert(said, Identity), signed_with=key_id)
        except (BadPayload, msgspec.ValidationError, RecursionError) as error:
            raise TokenRefused("This token is of a kind that this service no longer reads.") from error
        except BadData as error:
            raise TokenRefused("This token was not made by this service.") from error

    def _check_good(self, identity: Identity) -> None:
        if _has_ended(identity):
            raise TokenRefused("This token has ended. Ask the operator for another.")
        if self.has_become_more(identity):
            raise TokenRefused("You have a token from the operator now; come in with that.")
        if not self.still_good(identity):
            raise TokenRefused("This token was revoked.")

    def has_become_more(self, identity: Identity) -> bool:
        """Whether this is the token of a guest who was given one since, or that of somebody who has turned out to be a guest by trading it in."""
        if identity.given:
            line = self._given.get(identity.token_id)
            return line is not None and is_good(line) and line.member_id != identity.member_id
        return any(is_good(line) for line in self._by_member.get(identity.member_id, {}).values())

    def still_good(self, identity: Identity) -> bool:
        """False once a token was revoked or has ended, or its key has."""
        if not self._signer.has(identity.signed_with) or _has_ended(identity):
            return False
        if not identity.given:
            return identity.member_id not in self._by_member
        line = self._given.get(identity.token_id)
        return line is not None and line.revoked is None and line.member_id == identity.member_id


def _has_ended(identity: Identity) -> bool:
    return identity.until is not None and time.time() >= identity.until
