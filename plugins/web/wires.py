"""Frames onto sockets, without waiting for anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from plugins.web.sessions import Session, Wire


class SocketWire(Wire):
    """The way to a client over its WebSocket.

    Frames are written without waiting: what the network does not take yet waits in the transport's buffer, and a reader who
    lets that grow beyond `most` is dropped, so that it costs neither memory nor anybody else's time.
    """

    __slots__ = ("_connection", "_most", "session")

    def __init__(self, connection: ServerConnection, most: int) -> None:
        self._connection = connection
        self._most = most
        self.session: Session | None = None

    def send(self, frame: bytes) -> None:
        self.write(serialize(frame))

    def write(self, wire_bytes: bytes) -> None:
        """Write a serialized frame. Without extensions and masks a frame is the same bytes for everybody."""
        connection = self._connection
        if connection.protocol.state is not State.OPEN:
            return
        transport = connection.transport
        if transport.get_write_buffer_size() > self._most:
            if self.session is not None:
                self.session.end(1013, "you read too slowly; come back and resume", "slow_reader")
            return
        transport.write(wire_bytes)

    def waiting(self) -> int:
        return int(self._connection.transport.get_write_buffer_size())

    def close(self, code: int, reason: str) -> None:
        task = asyncio.ensure_future(self._connection.close(code, reason))
        # The connection's own handler waits for the end of the connection and so keeps this task alive.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())


def serialize(frame: bytes) -> bytes:
    """The bytes of a text message."""
    return Frame(Opcode.TEXT, frame).serialize(mask=False)


def send_to_all(wires: Iterable[Wire], frame: bytes) -> None:
    """Send one frame to many, serialized once."""
    wire_bytes = serialize(frame)
    # A list, for a slow reader who is dropped meanwhile leaves the set that is walked here.
    for wire in list(wires):
        if isinstance(wire, SocketWire):
            wire.write(wire_bytes)
        else:
            wire.send(frame)
