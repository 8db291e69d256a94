"""Files that handlers sent, on their way to browsers: in pieces, as fast as they are read, and so many at a time."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from mooring import TokenBucket
from mooring.plugins.web.config import GatewayLimits

_PIECE = 65_536
_PIECE_SECONDS = 30.0
"""Whoever takes longer to read a piece is gone, or wants to be in the way."""
_WAIT_SECONDS = 10.0
"""So long somebody waits until others are done. Browsers do not ask again for a picture that was refused."""


class TooManyDownloads(Exception):
    """There are as many as there may be, and none of them ended in time."""


@dataclass(frozen=True)
class Part:
    """The bytes of a file that are asked for."""

    start: int
    length: int
    is_whole: bool


@dataclass(frozen=True)
class Requested:
    """What is to be sent, and to whom."""

    path: Path
    part: Part
    address: str
    bucket: TokenBucket
    """The bytes that the address may have."""


def etag_of(path: Path) -> tuple[str, int]:
    """What the content of a file goes by, and its size in bytes. Raises OSError."""
    found = path.stat()
    return f'"{found.st_size:x}-{found.st_mtime_ns:x}"', found.st_size


def part_of(request: Request, etag: str, size: int) -> Part | None:
    """What a request asks for of a file (RFC 9110, section 14); None if the file has nothing of that.

    Several ranges in one request may be answered by the whole, and so is one that cannot be read, or that is about another version.
    """
    whole = Part(0, size, is_whole=True)
    condition = request.headers.get("If-Range", etag)
    asked = re.fullmatch(r"bytes=\s*(\d*)-(\d*)\s*", request.headers.get("Range", ""), re.ASCII)
    if asked is None or condition != etag or asked[0].strip() == "bytes=-" or len(asked[0]) > 50:
        return whole
    first, last = asked[1], asked[2]
    if not first:
        length = min(int(last), size)
        return Part(size - length, length, is_whole=False) if length else None
    if last and int(last) < int(first):
        return whole
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    return Part(start, end - start + 1, is_whole=False) if start < size else None


class Downloads:
    """All that are under way. What is not read waits in the file, and not in memory."""

    def __init__(self, limits: GatewayLimits) -> None:
        self._most = limits.downloads
        self._by_address = limits.downloads_per_address
        self._counts: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._is_over = False
        self._connections: set[ServerConnection] = set()

    def __len__(self) -> int:
        return self._counts.total()

    async def send(self, connection: ServerConnection, head: Response, requested: Requested) -> None:
        """Send a head and what was requested, and end the connection. What comes may be cut short, which its length tells.

        Raises TooManyDownloads and OSError, and then nothing was sent.
        """
        await self._enter(requested.address)
        try:
            file = await asyncio.to_thread(requested.path.open, "rb")
            self._connections.add(connection)
            try:
                await _stream(connection, head, file, requested)
            finally:
                self._connections.discard(connection)
                file.close()
        finally:
            self._leave(requested.address)

    def abort(self) -> None:
        """End all of them at once, those that wait for their turn as well."""
        self._is_over = True
        self._tell()
        for connection in list(self._connections):
            connection.transport.abort()

    async def _enter(self, address: str) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while not self._is_over and (self._counts.total() >= self._most or self._counts[address] >= self._by_address):
                    await self._changed.wait()
        except TimeoutError as error:
            raise TooManyDownloads from error
        if self._is_over:
            raise TooManyDownloads
        self._counts[address] += 1

    def _leave(self, address: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


async def _stream(connection: ServerConnection, head: Response, file: BinaryIO, requested: Requested) -> None:
    transport, clock = connection.transport, asyncio.get_running_loop().time
    try:
        _write(connection, head.serialize())
        left = requested.part.length
        file.seek(requested.part.start)
        while left:
            piece = await asyncio.to_thread(file.read, min(_PIECE, left))
            if not piece:
                raise OSError("the file has become shorter")
            left -= len(piece)
            _write(connection, piece)
            async with asyncio.timeout(_PIECE_SECONDS):
                await connection.drain()
            await asyncio.sleep(requested.bucket.spend(len(piece), clock()))
        transport.close()
        async with asyncio.timeout(_PIECE_SECONDS):
            await connection.wait_closed()
    except OSError:  # a TimeoutError is one
        transport.abort()  # so that nobody takes what came for all of it


def _write(connection: ServerConnection, data: bytes) -> None:
    if connection.transport.is_closing() or connection.protocol.eof_sent:
        raise ConnectionAbortedError  # they went, or sent something that is no request
    connection.transport.write(data)
