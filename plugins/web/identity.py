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
import logging
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

log = logging.getLogger(__name__)

Role = Literal["owner", "moderator", "member"]
EVERY_CHANNEL = "*"
_KEY_BYTES = 32


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


class Given(Struct):
    """A line in the list of given tokens."""

    member_id: str
    name: str
    roles: dict[str, Role]
    made: int
    revoked: int | None = None


class Identities:
    """Makes and checks tokens with the key in `data_dir`, which is made at the first use and readable by its owner only."""

    def __init__(self, data_dir: Path) -> None:
        self._list_file = data_dir / "tokens.json"
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = _load_or_make_key(data_dir / "signing.key")
        self._given: dict[str, Given] = {}
        self._seen: tuple[int, int] | None = None
        self.reload()

    def guest(self, name: str) -> Identity:
        """A new person."""
        return Identity(secrets.token_hex(8), f"m-{secrets.token_hex(8)}", name, int(time.time()))

    def give(self, name: str, roles: Mapping[str, Role]) -> tuple[Identity, str]:
        """A new person whose token can be revoked, and the token. The same name again is the same person."""
        self.reload()
        earlier = next((line.member_id for line in self._given.values() if line.name == name), None)
        identity = Identity(secrets.token_hex(8), earlier or f"m-{secrets.token_hex(8)}", name, int(time.time()), True, dict(roles))
        self._given[identity.token_id] = Given(identity.member_id, name, dict(roles), identity.made)
        self._write_list()
        return identity, self.token(identity)

    def revoke(self, name_or_token_id: str) -> list[str]:
        """Revoke one given token, or all of a name; returns the ids of those that were good until now."""
        self.reload()
        revoked = [token_id for token_id, line in self._given.items() if line.revoked is None and name_or_token_id in {token_id, line.name}]
        for token_id in revoked:
            self._given[token_id].revoked = int(time.time())
        if revoked:
            self._write_list()
        return revoked

    def given(self) -> Mapping[str, Given]:
        """The given tokens by token id, revoked ones too."""
        return self._given

    def reload(self) -> bool:
        """Look whether another process changed the list; true if it did. Reads the disk."""
        try:
            status = self._list_file.stat()
        except FileNotFoundError:
            return False
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return False
        self._given = msgspec.json.decode(self._list_file.read_bytes(), type=dict[str, Given])
        self._seen = seen
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

    def _write_list(self) -> None:
        write_private(self._list_file, msgspec.json.format(msgspec.json.encode(self._given), indent=1))
        status = self._list_file.stat()
        self._seen = (status.st_mtime_ns, status.st_ino)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file as a whole, readable by its owner only."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _load_or_make_key(path: Path) -> bytes:
    if not path.exists():
        # Linked, not renamed: of two processes that start at once, one key wins, and both use it.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
        write_private(draft, secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            log.debug("another process made %s first", path)
        finally:
            draft.unlink()
    if path.stat().st_mode & 0o077:
        log.warning("%s could be read by others; its mode is 0600 now. If somebody may have read it, delete it: all tokens become void.", path)
        path.chmod(0o600)
    key = path.read_bytes()
    if len(key) < _KEY_BYTES:
        raise ValueError(f"{path} is too short for a signing key; restore it, or delete it and all tokens become void")
    return key
