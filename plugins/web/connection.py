"""One connection, as all parts of the gateway know it."""

from __future__ import annotations

from typing import Protocol

from mooring.plugins.web.identity import Identity


class Transport(Protocol):
    """The way to one client; never blocks and never raises."""

    def send(self, frame: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None: ...

    def waiting(self) -> int:
        """Bytes that the client has not taken."""


class Connection:
    """The state of one connection. Only the hub ends it; `is_gone` is set then, and nothing is sent any more."""

    def __init__(self, transport: Transport, now: float, address: str = "") -> None:
        self.transport = transport
        self.address = address
        """Where it comes from, as `group_of` gives it."""
        self.identity: Identity | None = None
        """Who said hello; None until then."""
        self.channels: set[str] = set()
        """The channels that it watches."""
        self.began = now
        self.heard = now
        """When its last frame came."""
        self.is_gone = False
