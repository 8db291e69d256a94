"""Accepts connections as long as the process has file descriptors for them, so that there are always some for the storage.

asyncio's own servers accept until there are none, and then say so in the log many times a second. Here those who come wait in the
system's queue until others have gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence

from mooring import PluginError
from mooring.plugins.web import descriptors

log = logging.getLogger(__name__)

_BACKLOG = 128
"""So many may wait in the system's queue."""

_AT_ONCE = 64
"""So many are accepted before those who are in are served."""

_PAUSE = 0.25
"""Seconds until it is looked again whether there is room."""


async def listen(
    host: str, port: int, make_protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None, handshake_seconds: float
) -> asyncio.Server | Listener:
    """Listen at every address of the host; `sockets` of the result are bound to them. Raises OSError if the port is not free."""
    loop = asyncio.get_running_loop()
    if descriptors.limit() is None:
        seconds = None if tls is None else handshake_seconds
        return await loop.create_server(make_protocol, host, port, ssl=tls, ssl_handshake_timeout=seconds)
    # asyncio finds the addresses and binds to them; this server never accepts anything.
    bound = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    sockets = [socket.socket(fileno=os.dup(each.fileno())) for each in bound.sockets]
    bound.close()
    return Listener(sockets, make_protocol, tls, handshake_seconds)


async def check_host(host: str) -> None:
    """Raise PluginError if there is no such host, before anything else is said about it."""
    try:
        await asyncio.get_running_loop().getaddrinfo(host or None, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PluginError(f"there is no host {host!r}; write an address of this machine, as 127.0.0.1, or a name of it") from error


class Listener:
    """Listening sockets, in the place of an `asyncio.Server`."""

    def __init__(
        self, sockets: Sequence[socket.socket], make_protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None, handshake_seconds: float
    ) -> None:
        self.sockets = tuple(sockets)
        self._make_protocol = make_protocol
        self._tls = tls
        self._handshake_seconds = None if tls is None else handshake_seconds
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._is_serving = True
        for each in sockets:
            each.setblocking(False)
            each.listen(_BACKLOG)
        self._listen()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def is_serving(self) -> bool:
        return self._is_serving

    def close(self) -> None:
        """Accept nobody any more; who is in stays."""
        if not self._is_serving:
            return
        self._is_serving = False
        self._deafen()
        for each in self.sockets:
            each.close()
        for task in self._connecting:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nobody is on the way in."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _listen(self) -> None:
        for each in self.sockets:
            self._loop.add_reader(each, self._accept, each)

    def _deafen(self) -> None:
        for each in self.sockets:
            self._loop.remove_reader(each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if not descriptors.are_left(descriptors.RESERVE):
                self._pause(f"of {descriptors.limit()} files that may be open at once no more than {descriptors.RESERVE} are left")
                return
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(str(error))
                return
            accepted.setblocking(False)
            task = self._loop.create_task(self._connect(accepted))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, accepted, ssl=self._tls, ssl_handshake_timeout=self._handshake_seconds)
        except OSError as error:  # no TLS, or gone again
            log.debug("a connection was not made: %s", error)
            accepted.close()

    def _pause(self, why: str) -> None:
        log.warning("No more connections are accepted until there is room: %s. Raise that limit (ulimit -n, or LimitNOFILE of systemd).", why)
        self._deafen()
        self._loop.call_later(_PAUSE, self._go_on)

    def _go_on(self) -> None:
        if not self._is_serving:
            return
        if descriptors.are_left(descriptors.RESERVE + 1):
            self._listen()
        else:
            self._loop.call_later(_PAUSE, self._go_on)
