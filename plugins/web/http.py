"""What the port says to HTTP: the page's files, the probes, and whether a connection may become a WebSocket."""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from mooring import Service
from mooring.plugins.web.address_limits import BucketsByAddress
from mooring.plugins.web.addresses import group_of
from mooring.plugins.web.config import Config, is_loopback
from mooring.plugins.web.connection_count import ConnectionCount
from mooring.plugins.web.downloads import Downloads, Part, Requested, TooManyDownloads, etag_of, part_of
from mooring.plugins.web.hub import Hub
from mooring.plugins.web.site import SAFETY, Site

WEBSOCKET_PATH = "/ws"
SENT_FILES = "/files/"
_HTTPS_ONLY = "max-age=31536000"
"""A year in which browsers that were here by TLS come back by nothing else."""
_ASK_AGAIN = "private, no-cache"
_HELD_SECONDS = 2.0
_DOWNLOAD_BURST_SECONDS = 10
"""For so long an address may fetch as fast as it can, when it was quiet before."""
_SHOWN = {
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".wav": "audio/wav",
}
"""What a browser may show in place. SVG is not among them, since it can hold scripts."""
_REASONS = {
    200: "OK",
    206: "Partial Content",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    416: "Range Not Satisfiable",
    421: "Misdirected Request",
    429: "Too Many Requests",
}
_ONCE = ("Host", "Origin", "Upgrade", "If-None-Match", "If-Range", "Range", "Content-Length", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
"""Headers that may come once."""
_REASONS |= {426: "Upgrade Required", 503: "Service Unavailable"}


class HttpAnswers:
    """Answers requests before anybody is known."""

    def __init__(self, service: Service, config: Config, hub: Hub, count: ConnectionCount) -> None:
        self._service = service
        self._config = config
        self._hub = hub
        self._count = count
        limits, per_second = config.limits, config.limits.download_bytes_per_second
        # Whoever may have thousands of connections may also make them.
        self._requests = BucketsByAddress(limits.requests_per_minute / 60, max(limits.requests_per_minute, 2 * limits.connections_per_address))
        self._downloaded = BucketsByAddress(per_second, _DOWNLOAD_BURST_SECONDS * per_second)
        self.downloads = Downloads(config.limits)
        self._held = 0
        self._is_over = asyncio.Event()
        self._site = Site(config.club)
        self._proxies = [ipaddress.ip_network(proxy, strict=False) for proxy in config.trusted_proxies]

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None lets the connection become a WebSocket."""
        if request.method not in {"GET", "HEAD"}:
            return _response(405, b"Only GET and HEAD are of use here.\n", Allow="GET, HEAD")
        path = _path_of(request)
        if path is None:
            return _response(400, b"This is no request that could be answered.\n")
        address = group_of(self.address_of(connection, request))
        seconds = self._requests.refusal_seconds(address, self._hub.now())
        if seconds:
            self._hub.metrics.refused.count("too_many_requests")
            await self._hold()
            return _response(429, b"There are too many requests from your address. Wait a moment.\n", Retry_After=str(seconds))
        answer = await self._answer(connection, request, path, address)
        if answer is None:
            return None
        return _as_asked(request, self._with_tls(answer))

    async def answer_probe(self, connection: ServerConnection, request: Request) -> Response:
        """The same on the port of the metrics, which has the probes and nothing else. No browser has a say here, so any host name will do."""
        if request.method not in {"GET", "HEAD"}:
            return _response(405, b"Only GET and HEAD are of use here.\n", Allow="GET, HEAD")
        path = _path_of(request)
        if path is None:
            return _response(400, b"This is no request that could be answered.\n")
        found = await self._probe(path, shows_metrics=True)
        return _as_asked(request, found or _response(404, b"There are /metrics, /readyz and /healthz here.\n"))

    async def _answer(self, connection: ServerConnection, request: Request, path: str, address: str) -> Response | None:
        if not self._is_host_ours(request):
            return _response(421, b"This service does not answer to this host name. Name it in allowed_hosts.\n")
        if path == WEBSOCKET_PATH:
            return await self._refuse_socket(request, address)
        if path.startswith(SENT_FILES):
            return await self._sent_file(connection, request, path, address)
        return await self._probe(path, shows_metrics=self._config.shows_metrics) or self._file(path, request)

    def close(self) -> None:
        """Let nobody wait any longer, for a file or for being refused."""
        self.downloads.abort()
        self._is_over.set()

    async def _hold(self) -> None:
        """Let whoever comes too often wait for the answer, as they come again when they have it; but not in the place of somebody else."""
        if self._held >= self._count.room() // 2:
            return
        self._held += 1
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_over.wait(), _HELD_SECONDS)
        finally:
            self._held -= 1

    def _with_tls(self, answer: Response) -> Response:
        if self._config.certfile is not None:
            answer.headers["Strict-Transport-Security"] = _HTTPS_ONLY
        return answer

    async def _refuse_socket(self, request: Request, address: str) -> Response | None:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return _response(426, b"This is the address of the WebSocket.\n")
        if self._hub.stopping:
            return _response(503, b"The service is going down for a moment.\n", Retry_After="2")
        if not self._is_origin_ours(request):
            self._hub.metrics.refused.count("origin")
            return _response(403, b"Pages of other sites may not connect. Name the site in allowed_origins.\n")
        refusal = self._count.refusal(address)
        if refusal:
            self._hub.metrics.refused.count("too_many_connections")
            await self._hold()
            return _response(429, refusal.encode() + b"\n", Retry_After="10")
        return None

    async def _probe(self, path: str, *, shows_metrics: bool) -> Response | None:
        if path == "/healthz":
            return _response(200, b"alive\n")
        if path == "/readyz":
            health = await asyncio.to_thread(self._service.health)
            return _response(200 if health["ready"] else 503, msgspec.json.encode(health) + b"\n", "application/json")
        if path == "/metrics" and shows_metrics:
            page = self._hub.metrics.page() + await asyncio.to_thread(self._service.metrics_page)
            return _response(200, page, "text/plain; version=0.0.4; charset=utf-8")
        return None

    async def _sent_file(self, connection: ServerConnection, request: Request, path: str, address: str) -> Response:
        """Send a file that a handler sent. Whatever is in it, the browser shows pictures and sounds at most, and runs nothing.

        The answer has gone out already, unless the connection is still open.
        """
        channel_id, _, rest = path.removeprefix(SENT_FILES).partition("/")
        place = self._service.file(unquote(channel_id), rest.partition("/")[0])
        try:
            if place is None:
                raise FileNotFoundError
            etag, size = await asyncio.to_thread(etag_of, place)
            if _has_it(request, etag):
                return _response(304, b"", ETag=etag, Cache_Control=_ASK_AGAIN)
            part = part_of(request, etag, size)
            if part is None:
                return _response(416, b"The file has nothing there.\n", Content_Range=f"bytes */{size}")
            head = self._with_tls(_head(place, part, etag, size))
            if request.method == "HEAD":
                return head
            bucket = self._downloaded.of(address, self._hub.now())
            await self.downloads.send(connection, head, Requested(place, part, address, bucket))
            return head
        except OSError:
            return _response(404, b"This file is no longer here.\n")
        except TooManyDownloads:
            return _response(503, b"Too many files are being fetched. Wait a moment.\n", Retry_After="10")

    def _file(self, path: str, request: Request) -> Response:
        file = self._site.find(path)
        if file is None:
            return _response(404, b"There is nothing here. The page is at /.\n")
        if _has_it(request, file.etag):
            return _response(304, b"", file.content_type, ETag=file.etag, Cache_Control="no-cache")
        return _response(200, file.content, file.content_type, ETag=file.etag, Cache_Control="no-cache")

    def _is_host_ours(self, request: Request) -> bool:
        # A name that somebody else points at a loopback address must not make their page one of ours.
        name = _host_name(f"//{request.headers.get('Host', '')}")
        allowed = self._config.allowed_hosts
        if allowed:
            return name in allowed or is_loopback(name)
        return is_loopback(name) if is_loopback(self._config.host) else True

    def _is_origin_ours(self, request: Request) -> bool:
        origin = request.headers.get("Origin")
        if origin is None:
            return True  # Not a browser; nothing rides on somebody's cookies here anyway.
        own = request.headers.get("Host")
        return origin in {f"http://{own}", f"https://{own}", *self._config.allowed_origins}

    def address_of(self, connection: ServerConnection, request: Request | None) -> str:
        """The client's address: the peer, or what trusted proxies say of it, the last word first."""
        peer = str(connection.remote_address[0])
        forwarded = request.headers.get_all("X-Forwarded-For") if request is not None else []
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        while hops and self._is_proxy(peer):
            peer = hops.pop()
        return peer

    def peer_group(self, peer: str) -> str:
        """What counts as the address of a connection of which nothing is known but its other side; proxies have one for all of their clients."""
        return "" if self._is_proxy(peer) else group_of(peer)

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)


def _as_asked(request: Request, answer: Response) -> Response:
    if request.method == "HEAD":
        answer.body = b""  # the headers are those of GET, its length included
    return answer


def _head(place: Path, part: Part, etag: str, size: int) -> Response:
    kind = _SHOWN.get(place.suffix.lower())
    fields = {
        "Content_Disposition": f"{'inline' if kind else 'attachment'}; filename*=UTF-8''{quote(place.name, safe='')}",
        "Content_Security_Policy": "default-src 'none'; sandbox",
        "Accept_Ranges": "bytes",
        "ETag": etag,
        "Cache_Control": _ASK_AGAIN,
        "Content_Length": str(part.length),
    }
    if not part.is_whole:
        fields["Content_Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{size}"
    return _response(200 if part.is_whole else 206, b"", kind or "application/octet-stream", **fields)


def _host_name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _path_of(request: Request) -> str | None:
    """What is asked for; None for what different readers, a proxy and we for example, could take for different things."""
    if any(len(request.headers.get_all(name)) > 1 for name in _ONCE):
        return None
    if request.path.startswith("/"):
        return request.path.partition("?")[0].partition("#")[0]  # `//x/y` is a path, too, and no host with a path
    try:
        parts = urlsplit(request.path)
    except ValueError:
        return None
    return parts.path or "/" if parts.scheme in {"http", "https"} else None


def _has_it(request: Request, etag: str) -> bool:
    """Whether whoever asks names this tag among those that they have, by RFC 9110, 13.1.2: `*`, or a list, weak or not."""
    tags = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return etag.removeprefix("W/") in tags or tags == ["*"]


def _response(status: int, content: bytes, content_type: str = "text/plain; charset=utf-8", **headers: str) -> Response:
    fields: dict[str, Any] = {"Content-Type": content_type, "Content-Length": str(len(content)), "Connection": "close", "Cache-Control": "no-store"}
    fields |= SAFETY
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, _REASONS[status], Headers(fields), content)
