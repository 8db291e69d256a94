"""Frames onto sockets, without waiting for anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from mooring.plugins.web.connection import Transport

_MOST_HELD = 64 * 1024
"""Bytes that one connection holds back at most, so that many frames in a row meet the limit for slow readers."""


class Outgoing:
    """The transports of one gateway that hold frames back, until the event loop has done what it can do now.

    A reply leaves in one step of the loop and its acknowledgement in the next; two writes are two calls into the system for
    the service, and two wake-ups for the client. Made on the event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: list[SocketTransport] = []

    def add(self, transport: SocketTransport) -> None:
        """Have this one flushed soon."""
        if not self._waiting:
            self._loop.call_soon(self._flush_soon)
        self._waiting.append(transport)

    def _flush_soon(self) -> None:
        # A step later: what the loop has to do in this one is still to come, the acknowledgements among it. call_later(0) came after that
        # in asyncio's own loop alone; to uvloop it is call_soon.
        self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write everything that is held back."""
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class SocketTransport(Transport):
    """The way to a client over its WebSocket.

    Frames are written without waiting: what the network does not take yet waits in the transport's buffer, and a reader who
    lets that grow beyond `most` is dropped, so that it costs neither memory nor anybody else's time. Frames that come right
    after each other, as a reply and its acknowledgement do, go out in one write.
    """

    __slots__ = ("_allowed", "_connection", "_held", "_held_size", "_most", "_outgoing", "on_slow")

    def __init__(self, connection: ServerConnection, most: int, outgoing: Outgoing) -> None:
        self._connection = connection
        self._most = self._allowed = most
        self._outgoing = outgoing
        self._held: list[bytes] = []
        self._held_size = 0
        self.on_slow: Callable[[], None] = lambda: None
        """Called when the client reads too slowly; it has to close the transport."""

    def send(self, frame: bytes) -> None:
        self.write(serialize(frame))

    def write(self, wire_bytes: bytes) -> None:
        """Write a serialized frame, soon. Without extensions and masks a frame is the same bytes for everybody."""
        if not self._held:
            self._outgoing.add(self)
        self._held.append(wire_bytes)
        self._held_size += len(wire_bytes)
        if self._held_size > _MOST_HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        held, connection = self._held, self._connection
        self._held, self._held_size = [], 0
        if not held or connection.protocol.state is not State.OPEN:
            return
        transport = connection.transport
        waiting, size = transport.get_write_buffer_size(), sum(map(len, held))
        if waiting <= min(_MOST_HELD, self._most):
            # Who has taken nearly all so far gets one large piece whole, the history at a join for example, and time to read it.
            self._allowed = self._most + size if size > self._most else self._most
        elif waiting + size > self._allowed:
            self.on_slow()
            return
        transport.write(b"".join(held))

    def waiting(self) -> int:
        return int(self._connection.transport.get_write_buffer_size()) + self._held_size

    def close(self, code: int, reason: str) -> None:
        self.flush()
        task = asyncio.ensure_future(self._connection.close(code, reason))
        # The connection's own handler waits for the end of the connection and so keeps this task alive.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def serialize(frame: bytes) -> bytes:
    """The bytes of a text message: RFC 6455, section 5.2, unmasked and in one piece.

    websockets' own Frame makes the same; in its general way it would take a good part of what a reply costs.
    """
    length = len(frame)
    if length < 126:
        return b"\x81%c%b" % (length, frame)
    if length < 1 << 16:
        return b"\x81\x7e%b%b" % (length.to_bytes(2, "big"), frame)
    return b"\x81\x7f%b%b" % (length.to_bytes(8, "big"), frame)


def send_to_all(transports: Iterable[Transport], frame: bytes) -> None:
    """Send one frame to many, serialized once."""
    wire_bytes = serialize(frame)
    # A list, for a slow reader who is dropped meanwhile leaves the set that is walked here.
    for transport in list(transports):
        if isinstance(transport, SocketTransport):
            transport.write(wire_bytes)
        else:
            transport.send(frame)
