"""One port for the page, the probes and the WebSocket."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from mooring import Down, PluginError, Service
from mooring.plugins.web import descriptors
from mooring.plugins.web.address_limits import of_many
from mooring.plugins.web.addresses import group_of
from mooring.plugins.web.config import Config
from mooring.plugins.web.connection_count import ConnectionCount
from mooring.plugins.web.http import HttpAnswers
from mooring.plugins.web.hub import Hub
from mooring.plugins.web.identity import Identities
from mooring.plugins.web.listener import listen
from mooring.plugins.web.metered_connection import MeteredConnection, bytes_allowed, frames_allowed
from mooring.plugins.web.sessions import Session
from mooring.plugins.web.tls import server_context
from mooring.plugins.web.transport import Outgoing, SocketTransport, send_to_all
from mooring.plugins.web.upkeep import sweep

log = logging.getLogger(__name__)

# At level debug, websockets logs every frame, and the first one holds a token.
_quiet = logging.getLogger(f"{__name__}.websockets")
_quiet.setLevel(logging.WARNING)


_ON_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to, only shown
"""All addresses of a machine are no address to go to."""


class WebGateway:
    """The gateway as the service knows it; `start` and `close` are its life."""

    kinds = None
    """The page shows everything."""

    def __init__(self, service: Service, config: Config, identities: Identities) -> None:
        self._config = config
        self._hub = Hub(service, config, identities, send_to_all)
        self._outgoing = Outgoing()
        self._count = ConnectionCount(_connections(config.limits.connections), config.limits.connections_per_address)
        self._http = HttpAnswers(service, config, self._hub, self._count)
        self._unfinished = ConnectionCount(config.limits.connections, config.limits.connections_per_address)
        self._wire_frames, self._bytes = of_many(frames_allowed(config.limits)), of_many(bytes_allowed(config.limits))
        self._server: Server | None = None
        self._probes: Server | None = None
        self.probe_address = ""
        """Where the metrics are, if they have a port of their own."""
        self._end_sweeping: Callable[[], None] | None = None
        self._port = config.port
        self._tls: ssl.SSLContext | None = None

    def channels_changed(self) -> None:
        """Show everybody which channels there are."""
        self._hub.channels_changed()

    @property
    def address(self) -> str:
        """The page's URL, by which at least this machine reaches it."""
        scheme = "https" if self._config.certfile else "http"
        host = _ON_THIS_MACHINE.get(self._config.host, self._config.host)
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}:{self._port}/"

    def renew_certificate(self) -> str | None:
        """Use the certificate that the files hold now, for whoever connects from here on. Raises PluginError, and then the old one stays."""
        if self._tls is None or self._config.certfile is None:
            return None
        server_context(self._config.certfile, self._config.keyfile)  # looked at first: a pair that does not fit would be taken over by half
        self._tls.load_cert_chain(self._config.certfile, self._config.keyfile, password="")
        return "the certificate"

    async def start(self) -> None:
        """Listen. Raises PluginError if the certificate cannot be used, the host is none of this machine, or the port is not free."""
        config = self._config
        tls = self._tls = None if config.certfile is None else server_context(config.certfile, config.keyfile)
        limits = config.limits
        self._server = server = serve(
            # Without a time limit of websockets' own, which would end a download as well: who asks for nothing is ended by the connection itself.
            self._serve_member,
            process_request=self._http.answer,
            server_header=None,
            open_timeout=None,
            logger=_quiet,
        )

        def connection() -> ServerConnection:
            # No extensions, knowingly: messages are short, each connection would hold tens of kilobytes for its window of compression
            # and pay for every frame in time, and a compressed frame can unfold to a thousand times its size.
            protocol = ServerProtocol(max_size=4 * limits.frame_size, logger=_quiet)
            return MeteredConnection(protocol, server, limits, self._unfinished, self._http.peer_group)

        try:
            listening = await listen(config.host, config.port, connection, tls, limits.first_frame_seconds)
        except (OSError, UnicodeError) as error:  # a UnicodeError for what cannot be a host name at all
            reason = error.strerror if isinstance(error, OSError) else "it is no host name"
            raise PluginError(f"the page cannot be served on host {config.host!r} and port {config.port}: {reason}") from error
        server.server = cast("asyncio.Server", listening)
        self._port = server.sockets[0].getsockname()[1]
        try:
            if config.metrics_port is not None:
                await self._start_probes(config.metrics_host, config.metrics_port)
        except OSError as error:
            await self.close()
            place = f"metrics_port {config.metrics_port} on {config.metrics_host}"
            raise PluginError(f"the gateway cannot have {place}: {error.strerror}") from error
        every = min(1.0, config.limits.first_frame_seconds / 2, config.limits.idle_seconds / 2)
        # One that ends, whatever ends it, would leave every revoked token good.
        self._end_sweeping = self._hub.service.spawn(lambda: sweep(self._hub, every), name="gateway: tokens and silent connections", endless=True)

    async def _start_probes(self, host: str, port: int) -> None:
        self._probes = await serve(_no_socket, host, port, process_request=self._http.answer_probe, server_header=None, logger=_quiet)
        shown = f"[{host}]" if ":" in host else host
        self.probe_address = f"http://{shown}:{self._probes.sockets[0].getsockname()[1]}/"
        log.info("the metrics are at %smetrics", self.probe_address)

    def stop_accepting(self) -> None:
        """Close the door and say so to those inside."""
        self._hub.stop_accepting()
        if self._server is not None:
            self._server.close(close_connections=False)

    async def close(self) -> None:
        """Answer what was submitted, then end all connections with code 1001."""
        await self._hub.finish()
        if self._end_sweeping is not None:
            self._end_sweeping()
        if self._server is not None:
            self._server.close(close_connections=False)
            self._http.close()
            self._outgoing.flush()
            await asyncio.gather(*(connection.close(1001, "the service stops") for connection in self._server.connections))
            await self._server.wait_closed()
        if self._probes is not None:  # last, so that whoever watches sees the stop
            self._probes.close()
            await self._probes.wait_closed()

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Pass downs on to those whom they are for."""
        self._hub.deliver(channel_id, downs)

    async def _serve_member(self, socket: ServerConnection) -> None:
        address = group_of(self._http.address_of(socket, socket.request))
        if isinstance(socket, MeteredConnection):
            now = self._hub.now()
            socket.share(self._wire_frames.of(address, now), self._bytes.of(address, now))
        transport = SocketTransport(socket, self._config.limits.send_buffer, self._outgoing)
        connection = self._hub.connect(transport, address)
        transport.on_slow = partial(self._hub.end, connection, 1013, "you read too slowly; come back and resume", "slow_reader")
        session = Session(self._hub, connection)
        self._count.enter(address)
        try:
            while True:
                session.receive(await socket.recv())
        except ConnectionClosed:
            pass
        finally:
            self._hub.gone(connection)
            self._count.leave(address)


async def _no_socket(socket: ServerConnection) -> None:
    """Every request is answered before it could become a WebSocket."""


def _connections(wanted: int) -> int:
    """How many connections there can be, of those that the config allows. Raises PluginError if there can be none."""
    room = descriptors.room_for_connections(wanted)
    if room < wanted:
        said = (
            f"limits.connections of the gateway is {wanted}, but this process may have {descriptors.limit()} files and connections open at once, "
            f"which leaves {max(0, room)} for members. Raise that limit (ulimit -n, or LimitNOFILE of systemd), or lower limits.connections."
        )
        if room < 1:
            raise PluginError(said)
        log.warning(said)
    return room
