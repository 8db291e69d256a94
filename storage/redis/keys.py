"""The names of things in Redis: which key holds a domain, and which field of it a key of ours.

All of them are UTF-8 in which lone surrogates are allowed, since any string is a key.
"""

from __future__ import annotations

import re

_CHANNEL_DOMAIN = re.compile(r"(service_[^.]*\.channel_[^.]*)\.([^.]*)", re.DOTALL)
_CLASHING = {"~": "~~", "{": "~(", "}": "~)", "$": "~$"}
"""Characters that mean something in our Redis keys: braces mark the part that decides the slot, `$` our own bookkeeping."""


def redis_key(domain: str) -> tuple[bytes, bytes]:
    """The two parts of the Redis key of a domain; all domains of a channel share the first, and with it the cluster slot."""
    shaped = _CHANNEL_DOMAIN.fullmatch(domain)
    slot, name = (shaped[1], ":" + _escaped(shaped[2])) if shaped else (domain, "")
    prefix = f"mooring:{{{_escaped(slot) or '~'}}}"  # Redis ignores empty braces
    return prefix.encode("utf-8", "surrogatepass"), name.encode("utf-8", "surrogatepass")


def field_of(key: str) -> bytes:
    """The field that holds a key's value."""
    return key.encode("utf-8", "surrogatepass")


def key_of(field: bytes) -> str:
    """The inverse. Raises UnicodeDecodeError for a field that somebody else wrote."""
    return field.decode("utf-8", "surrogatepass")


def _escaped(text: str) -> str:
    return "".join(_CLASHING.get(character, character) for character in text)
