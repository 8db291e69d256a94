"""The name that keeps one dict apart from all others, in every engine."""

from __future__ import annotations


def domain_of(service_id: str, channel_id: str, name: str) -> str:
    """The domain of one dict of a channel."""
    return f"service_{_escaped(service_id)}.channel_{_escaped(channel_id)}.{name}"


def _escaped(part: str) -> str:
    """Ids may hold anything, and the parts of a domain are joined by dots."""
    return str(part).replace("%", "%25").replace(".", "%2E")
