"""What counts as one address."""

from __future__ import annotations

import ipaddress

_NETWORK = 64
"""Bits of an IPv6 address that say whose it is: whoever has one address there has all 2**64 of them."""


def group_of(address: str) -> str:
    """What counts as one address: an IPv4 address, however it is written, or a network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _NETWORK), strict=False))
