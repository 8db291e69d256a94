"""Connections that take in no more than their share, whatever is sent: bytes, fragments, pings, and handshakes that never end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from websockets.asyncio.server import Server, ServerConnection
from websockets.http11 import Request
from websockets.protocol import Event
from websockets.server import ServerProtocol

from mooring import TokenBucket
from mooring.plugins.web.config import GatewayLimits
from mooring.plugins.web.connection_count import ConnectionCount

_PIECE = 4096
"""Bytes that are parsed in one go. A read may bring 256 KB, which are 40,000 fragments of nothing: a quarter of a second for all others."""

_FRAMES_OF_A_MESSAGE = 4
_MORE_FRAMES, _MORE_FRAMES_AT_ONCE = 100, 1000
"""Frames on the wire, fragments and pings among them: so many for each frame of ours that somebody may send, and so many a second besides.
The limit is for those that cost time and ask for nothing; all others are told by an error frame what they did too often.
"""

_BURST_SECONDS = 8
"""For so long somebody may be as fast as they like, when they were quiet before."""


class MeteredConnection(ServerConnection):
    """A connection that is read more slowly as soon as more comes than it may send; TCP tells the other side to wait.

    Nothing is refused for that, and nothing lost: who has sent too much waits, and nobody else does. Refusing would hit an honest member
    who comes back from a dead spot and has much to say; `Session` refuses frames that are too many for the service.
    """

    def __init__(
        self, protocol: ServerProtocol, server: Server, limits: GatewayLimits, unfinished: ConnectionCount, counted_as: Callable[[str], str]
    ) -> None:
        """`unfinished` counts the connections that have not asked for anything yet, by what `counted_as` makes of the other side's address."""
        super().__init__(protocol, server, close_timeout=5, max_queue=32)
        now = self.loop.time()
        self._limits = limits
        self._unfinished = unfinished
        self._counted_as = counted_as
        self._bytes = [TokenBucket(*bytes_allowed(limits), now)]
        self._frames = [TokenBucket(*frames_allowed(limits), now)]
        self._frame_count = 0
        self._unread_pongs = 0
        """Bytes that were written while frames were taken in, which only the answers to pings are, and that may be unread."""
        self._unread = bytearray()
        self._reading: asyncio.TimerHandle | None = None
        """Goes on with what is unread, when it may."""
        self._asking: asyncio.TimerHandle | None = None
        """Ends a connection that asks for nothing."""
        self._counted: str | None = None
        self._is_full = self._is_paused = False

    def share(self, frames: TokenBucket, bytes_: TokenBucket) -> None:
        """Let its frames and bytes count as those of all connections of its address as well."""
        self._frames.append(frames)
        self._bytes.append(bytes_)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.recv_messages.pause, self.recv_messages.resume = self._queue_is_full, self._queue_has_room
        address = self._counted_as(str(self.remote_address[0]))
        if self._unfinished.refusal(address):
            self.transport.abort()
            return
        self._counted = address
        self._unfinished.enter(address)
        self._asking = self.loop.call_later(self._limits.first_frame_seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_asked()
        if self._reading is not None:
            self._reading.cancel()
        self._unread.clear()
        super().connection_lost(exc)

    def process_event(self, event: Event) -> None:
        self._frame_count += 1
        if isinstance(event, Request):
            self._has_asked()
        super().process_event(event)

    def data_received(self, data: bytes) -> None:
        now = self.loop.time()
        for bucket in self._bytes:
            bucket.spend(len(data), now)
        if self._reading is None and not self._unread and len(data) <= _PIECE:
            self._feed(data, now)
            self._wait_for_share(now)
            return
        self._unread += data
        if self._reading is None:
            self._read_on()

    def _read_on(self) -> None:
        self._reading = None
        now = self.loop.time()
        piece = bytes(self._unread[:_PIECE])
        del self._unread[:_PIECE]
        self._feed(piece, now)
        self._wait_for_share(now)
        if self._unread and self._reading is None:
            self._reading = self.loop.call_later(0, self._read_on)  # others first
        self._adjust()

    def _feed(self, piece: bytes, now: float) -> None:
        count, waiting = self._frame_count, self.transport.get_write_buffer_size()
        super().data_received(piece)
        for bucket in self._frames:
            bucket.spend(self._frame_count - count, now)
        # What waits besides is for `SocketTransport`, which lets one large piece wait, a history for example.
        self._unread_pongs = self._unread_pongs + self.transport.get_write_buffer_size() - waiting if waiting else 0
        if self._unread_pongs > self._limits.send_buffer:
            self.transport.abort()

    def _wait_for_share(self, now: float) -> None:
        seconds = max(bucket.wait(now) for bucket in (*self._frames, *self._bytes))
        if seconds > 0:
            self._reading = self.loop.call_later(seconds, self._read_on)
            self._adjust()

    def _queue_is_full(self) -> None:
        self._is_full = True
        self._adjust()

    def _queue_has_room(self) -> None:
        self._is_full = False
        self._adjust()

    def _adjust(self) -> None:
        """Read from the socket, or do not."""
        is_paused = self._is_full or self._reading is not None
        if is_paused == self._is_paused or self.transport.is_closing():
            return
        self._is_paused = is_paused
        (self.transport.pause_reading if is_paused else self.transport.resume_reading)()

    def _has_asked(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        if self._counted is not None:
            self._unfinished.leave(self._counted)
            self._counted = None


def frames_allowed(limits: GatewayLimits) -> tuple[float, float]:
    """Frames on the wire, of one connection: a second, and at once."""
    rate = _FRAMES_OF_A_MESSAGE * limits.frames_per_second + _MORE_FRAMES
    return rate, _FRAMES_OF_A_MESSAGE * limits.burst + _MORE_FRAMES_AT_ONCE


def bytes_allowed(limits: GatewayLimits) -> tuple[float, float]:
    """Bytes, likewise."""
    return limits.bytes_per_second, _BURST_SECONDS * limits.bytes_per_second
