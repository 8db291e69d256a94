"""What tokens are signed with: the newest key, and for a while those before it, so that the key can be changed under people's feet."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from itsdangerous import BadData, BadSignature, URLSafeSerializer
from msgspec import Struct

from storage import StorageError

KEY_BYTES = 32
_SALT = "mooring token"
"""Part of what is signed, so that nothing else that might ever be signed with the same key is a token."""


class OlderKey(Struct):
    """A key with which nothing is signed any more; what was is good until then."""

    key: bytes
    until: int


class SigningKeys(Struct):
    """The keys as they are kept: in base64, in a file or a dict."""

    key: bytes
    older: list[OlderKey] = []

    def rotated(self, seconds: float) -> SigningKeys:
        """With a new key; tokens of the earlier ones are good for so long, if they were to be good for longer."""
        now = int(time.time())
        end = now + int(seconds)
        before = [OlderKey(self.key, end), *(OlderKey(each.key, min(each.until, end)) for each in self.older)]
        return SigningKeys(secrets.token_bytes(KEY_BYTES), [each for each in before if each.until > now])


def new_keys() -> SigningKeys:
    """The first key of a service."""
    return SigningKeys(secrets.token_bytes(KEY_BYTES))


def checked_keys(kept: Any, place: str) -> SigningKeys:
    """The keys out of what is kept. Raises StorageError, which names the place, if one of them is too short or none at all."""
    remedy = "restore it, or delete it and all tokens become void"
    try:
        keys = msgspec.convert(kept, SigningKeys)
    except msgspec.ValidationError as error:
        raise StorageError(f"{place} holds no signing keys ({error}); {remedy}") from error
    if any(len(key) < KEY_BYTES for key in (keys.key, *(each.key for each in keys.older))):
        raise StorageError(f"{place} is too short for a signing key; {remedy}")
    return keys


class Signer:
    """Signs with the newest key, and reads what any key has signed that is still good."""

    def __init__(self, keys: SigningKeys) -> None:
        self._newest = _key_id(keys.key)
        self._until: Mapping[str, int] = {_key_id(each.key): each.until for each in keys.older}
        self._serializers = {_key_id(key): _serializer(key) for key in (keys.key, *(each.key for each in keys.older))}

    @property
    def newest(self) -> str:
        """The id of the key that signs; it gives nothing away of the key."""
        return self._newest

    def sign(self, said: Any) -> str:
        """The token that says this."""
        return str(self._serializers[self._newest].dumps(said))

    def read(self, token: str) -> tuple[Any, str]:
        """What a token says, and the id of the key that signed it. Raises BadData."""
        found: BadData = BadSignature("no key has signed this")
        for key_id, serializer in self._serializers.items():
            if self.has(key_id):
                try:
                    return serializer.loads(token.encode("utf-8", "replace")), key_id
                except BadSignature as error:
                    found = error
        raise found

    def has(self, key_id: str) -> bool:
        """Whether what this key has signed is good, now."""
        until = self._until.get(key_id)
        return key_id in self._serializers and (until is None or time.time() < until)


def _serializer(key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(key, _SALT, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"})


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"id of " + key).hexdigest()[:16]
