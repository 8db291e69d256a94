"""The name that keeps one dict apart from all others, in every engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

_VARIANT = re.compile(r"[a-z][a-z0-9-]{0,60}|")

variants: ContextVar[Mapping[tuple[str, str], str]] = ContextVar("variants", default=MappingProxyType({}))
"""The variants of storages that are opened without one, by service and channel id.

A context variable, since the program that knows them calls code which opens storages by nothing but their ids.
"""


def domain_of(service_id: str, channel_id: str, name: str, variant: str = "") -> str:
    """The domain of one dict of a channel, or of another storage with the same ids. Raises ValueError for a variant that cannot be."""
    if not _VARIANT.fullmatch(variant):
        raise ValueError(f"{variant!r} is no variant of a storage; it has small letters, digits and hyphens, a letter first")
    # In an escaped id, a % is always followed by a digit; so no id, whatever it holds, meets another one's variant.
    return f"service_{_escaped(service_id)}.channel_{_escaped(channel_id)}{'%' if variant else ''}{variant}.{last_part(name)}"


def is_store_name(name: str) -> bool:
    """Whether a dict of this name is one that a plugin's code declares: `PLUGIN.STORE`."""
    plugin, dot, store = name.partition(".")
    return bool(dot) and plugin.isidentifier() and store.isidentifier()


def last_part(name: str) -> str:
    """What the domain of a dict ends with. A store's has a hyphen, as no other dict's has, and no dot, which would begin a part."""
    return name.replace(".", "-")


def _escaped(part: str) -> str:
    """Ids may hold anything, and the parts of a domain are joined by dots."""
    return str(part).replace("%", "%25").replace(".", "%2E")
