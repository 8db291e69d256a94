"""A TorBox for tests: a real HTTP server on a free loopback port, which can be told to misbehave.

with TorBoxServer() as server:
    server.items["torrents"] = make_items(300)
    server.troubles.append(Trouble(status=429, headers={"Retry-After": "1"}))
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "7d1f0c52-9a3e-4b6f-8c11-5e2a90d4b7f3"

_ID_PARAMETERS = {"torrents": "torrent_id", "usenet": "usenet_id", "webdl": "web_id"}


@dataclass
class Trouble:
    """How one request goes wrong. `cut` sends that many bytes of the body and breaks off; `hang` waits first."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    hang: float = 0.0


@dataclass
class Request:
    """One request that came in."""

    path: str
    query: dict[str, str]
    authorization: str
    at: float


class TorBoxServer:
    """Serves `mylist` and `requestdl` of all kinds for the account of `KEY`."""

    def __init__(self, key: str = KEY) -> None:
        self.key = key
        self.items: dict[str, list[Any]] = {"torrents": [], "usenet": [], "webdl": []}
        self.troubles: deque[Trouble] = deque()
        self.requests: list[Request] = []
        self.largest_page: int | None = None
        self.link = "https://cdn.torbox.example/file?signature=abc"
        self._released = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> TorBoxServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def wait(self, seconds: float) -> None:
        """Hang, but no longer than the server is needed."""
        self._released.wait(seconds)

    def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        parts = request.path.strip("/").split("/")
        if len(parts) != 4 or parts[:2] != ["v1", "api"] or parts[2] not in self.items:
            return 404, {"success": False, "error": "NOT_FOUND", "detail": "no such endpoint", "data": None}
        if parts[3] == "requestdl":
            return self._answer_link(parts[2], request)
        if request.authorization != f"Bearer {self.key}":
            return 403, {"success": False, "error": "BAD_TOKEN", "detail": "The provided token is not valid.", "data": None}
        offset = int(request.query.get("offset", 0))
        limit = min(int(request.query.get("limit", 1000)), self.largest_page or 1000)
        page = self.items[parts[2]][offset : offset + limit]
        return 200, {"success": True, "error": None, "detail": "Found list.", "data": page}

    def _answer_link(self, kind: str, request: Request) -> tuple[int, dict[str, Any]]:
        if request.query.get("token") != self.key:
            return 403, {"success": False, "error": "BAD_TOKEN", "detail": "The provided token is not valid.", "data": None}
        wanted = request.query.get(_ID_PARAMETERS[kind])
        if not any(str(item["id"]) == wanted for item in self.items[kind]):
            return 404, {"success": False, "error": "ITEM_NOT_FOUND", "detail": "There is no such item.", "data": None}
        return 200, {"success": True, "error": None, "detail": "Link made.", "data": self.link}


def _handler_for(server: TorBoxServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            request = Request(parts.path, query, self.headers.get("Authorization", ""), time.monotonic())
            server.requests.append(request)
            trouble = server.troubles.popleft() if server.troubles else Trouble()
            if trouble.hang:
                server.wait(trouble.hang)
            status, answer = server.answer(request)
            body = json.dumps(answer).encode() if trouble.body is None else trouble.body
            self._send(trouble.status if trouble.status != 200 else status, trouble, body)

        def _send(self, status: int, trouble: Trouble, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in trouble.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body if trouble.cut is None else body[: trouble.cut])
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            if trouble.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def make_items(count: int, files: int = 1, first: int = 1) -> list[dict[str, Any]]:
    """`count` downloads in the documented shape, with `files` playable files each and one that is none."""
    return [make_item(number, files) for number in range(first, first + count)]


def make_item(number: int, files: int = 1, name: str | None = None) -> dict[str, Any]:
    folder = name or f"Film.Number.{number}.{1950 + number % 70}.1080p.WEB-DL.x264-GRP"
    playable = [
        {
            "id": position,
            "md5": None,
            "hash": f"{number:040x}",
            "name": f"{folder}/{folder}.{position}.mkv",
            "short_name": f"{folder}.mkv" if files == 1 else f"{folder}.S01E{position + 1:02d}.mkv",
            "size": 1_000_000 * number + position,
            "s3_path": f"{number:040x}/{folder}",
            "mimetype": "video/x-matroska",
        }
        for position in range(files)
    ]
    other = {**playable[0], "id": files, "name": f"{folder}/readme.txt", "short_name": "readme.txt", "size": 12, "mimetype": "text/plain"}
    return {
        "id": number,
        "hash": f"{number:040x}",
        "name": folder,
        "created_at": "2026-01-01T00:00:00Z",
        "size": sum(int(str(file["size"])) for file in playable),
        "active": False,
        "download_state": "cached",
        "download_finished": True,
        "download_present": True,
        "cached": True,
        "progress": 1,
        "files": [*playable, other],
    }
