"""Ports on loopback that nobody uses."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(count: int, *, below: int = 65_536) -> list[int]:
    """Different ports; taken all at once, so that none comes twice."""
    with ExitStack() as stack:
        found: list[int] = []
        candidate = 20_000 + (hash(stack) % 997)
        while len(found) < count:
            candidate += 1
            assert candidate < below, "there are not enough free ports"
            one = stack.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            found.append(candidate)
        return found
