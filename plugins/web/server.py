"""One port for the page, the probes and the WebSocket."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

from plugins._events import Down
from plugins._host import Service
from plugins.web.config import Config, is_loopback
from plugins.web.hub import Hub
from plugins.web.identity import Identities
from plugins.web.limits import ConnectionCount
from plugins.web.sessions import Session, Wire, sweep
from plugins.web.site import SAFETY, Site

log = logging.getLogger(__name__)

WEBSOCKET_PATH = "/ws"
_REASONS = {
    200: "OK",
    304: "Not Modified",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    421: "Misdirected Request",
    429: "Too Many Requests",
}
_REASONS |= {426: "Upgrade Required", 503: "Service Unavailable"}


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


class WebGateway:
    """The gateway as the service knows it; `start` and `close` are its life."""

    def __init__(self, service: Service, config: Config) -> None:
        config.check_exposure(each for each in service.channel_ids() if service.access(each) == "open")
        self._service = service
        self._config = config
        self._site = Site()
        self._hub = Hub(service, config, Identities(config.data_dir), send_to_all)
        self._count = ConnectionCount(config.limits.connections, config.limits.connections_per_address)
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in config.trusted_proxies]
        self._server: Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._port = config.port

    @property
    def address(self) -> str:
        """The page's URL."""
        scheme = "https" if self._config.certfile else "http"
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        return f"{scheme}://{host}:{self._port}/"

    async def start(self) -> None:
        """Listen. Raises OSError if the port is not free."""
        config = self._config
        tls = None
        if config.certfile is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(config.certfile, config.keyfile)
        self._server = await serve(
            self._serve_member,
            config.host,
            config.port,
            # Off, knowingly: messages are short, each connection would hold tens of kilobytes for its window and pay for
            # every frame in time, and a compressed frame can unfold to a thousand times its size.
            compression=None,
            process_request=self._answer,
            server_header=None,
            open_timeout=config.limits.first_frame_seconds,
            close_timeout=5,
            max_size=4 * config.limits.frame_size,
            max_queue=32,
            ssl=tls,
        )
        self._port = self._server.sockets[0].getsockname()[1]
        every = min(1.0, config.limits.first_frame_seconds / 2, config.limits.idle_seconds / 2)
        self._sweeper = asyncio.create_task(sweep(self._hub, every))

    def stop_accepting(self) -> None:
        """Close the door and say so to those inside."""
        self._hub.stop_accepting()
        if self._server is not None:
            self._server.close(close_connections=False)

    async def close(self) -> None:
        """Answer what was submitted, then end all connections with code 1001."""
        await self._hub.finish()
        if self._sweeper is not None:
            self._sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeper
        if self._server is not None:
            self._server.close(close_connections=False)
            await asyncio.gather(*(connection.close(1001, "the service stops") for connection in self._server.connections))
            await self._server.wait_closed()

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Pass downs on to those whom they are for."""
        self._hub.deliver(channel_id, downs)

    # --- a member ---------------------------------------------------------------------------------------------------

    async def _serve_member(self, connection: ServerConnection) -> None:
        address = self._address_of(connection, connection.request)
        wire = SocketWire(connection, self._config.limits.send_buffer)
        session = wire.session = self._hub.connect(wire)
        self._count.enter(address)
        try:
            while True:
                session.receive(await connection.recv())
        except ConnectionClosed:
            pass
        finally:
            session.gone()
            self._count.leave(address)

    # --- HTTP -------------------------------------------------------------------------------------------------------

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        if request.method != "GET":
            return _response(405, b"Only GET is of use here.\n")
        if not self._is_host_ours(request):
            return _response(421, b"This service does not answer to this host name. Name it in allowed_hosts.\n")
        if path == WEBSOCKET_PATH:
            return self._refuse_socket(connection, request)
        return await self._probe(path) or self._file(path, request)

    def _refuse_socket(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _response(426, b"This is the address of the WebSocket.\n")
        if self._hub.stopping:
            return _response(503, b"The service is going down for a moment.\n", Retry_After="2")
        if not self._is_origin_ours(request):
            self._hub.metrics.refused.labels("origin").inc()
            return _response(403, b"Pages of other sites may not connect. Name the site in allowed_origins.\n")
        refusal = self._count.refusal(self._address_of(connection, request))
        if refusal:
            self._hub.metrics.refused.labels("too_many_connections").inc()
            return _response(429, refusal.encode() + b"\n", Retry_After="10")
        return None

    async def _probe(self, path: str) -> Response | None:
        if path == "/healthz":
            return _response(200, b"alive\n")
        if path == "/readyz":
            health = await asyncio.to_thread(self._service.health)
            return _response(200 if health["ready"] else 503, msgspec.json.encode(health) + b"\n", "application/json")
        if path == "/metrics":
            return _response(200, self._hub.metrics.page() + self._service.metrics_page(), "text/plain; version=0.0.4; charset=utf-8")
        return None

    def _file(self, path: str, request: Request) -> Response:
        file = self._site.find(path)
        if file is None:
            return _response(404, b"There is nothing here. The page is at /.\n")
        if request.headers.get("If-None-Match") == file.etag:
            return _response(304, b"", file.content_type, ETag=file.etag, Cache_Control="no-cache")
        return _response(200, file.content, file.content_type, ETag=file.etag, Cache_Control="no-cache")

    def _is_host_ours(self, request: Request) -> bool:
        # A name that somebody else points at a loopback address must not make their page one of ours.
        name = urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
        allowed = self._config.allowed_hosts
        if allowed:
            return name in allowed or is_loopback(name)
        return is_loopback(name) if is_loopback(self._config.host) else True

    def _is_origin_ours(self, request: Request) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return True  # Not a browser; nothing rides on somebody's cookies here anyway.
        parts = urlsplit(origin)
        same = parts.scheme in {"http", "https"} and parts.netloc == request.headers.get("Host")
        return same or origin in self._config.allowed_origins

    def _address_of(self, connection: ServerConnection, request: Request | None) -> str:
        """The client's address: the peer, or what trusted proxies say of it, the last word first."""
        peer = str(connection.remote_address[0])
        forwarded = request.headers.get_all("X-Forwarded-For") if request is not None else []
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        while hops and self._is_proxy(peer):
            peer = hops.pop()
        return peer

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def _response(status: int, content: bytes, content_type: str = "text/plain; charset=utf-8", **headers: str) -> Response:
    fields: dict[str, Any] = {"Content-Type": content_type, "Content-Length": str(len(content)), "Connection": "close", "Cache-Control": "no-store"}
    fields |= SAFETY
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, _REASONS[status], Headers(fields), content)
