"""A network cable that can be pulled: passes bytes on between clients and a server until it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Cable:
    """While `plugged` is false, connections break and new ones fail."""

    def __init__(self, address: str) -> None:
        self._far = urlsplit(address)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.plugged = True
        self.address = ""

    def cut(self) -> None:
        self.plugged = False
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.plugged:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        self._writers |= {writer, far_writer}
        with suppress(ConnectionError):
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        self._writers -= {writer, far_writer}
        for end in (writer, far_writer):
            end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


@asynccontextmanager
async def cable(address: str) -> AsyncIterator[Cable]:
    """A cable to the server at `address`; its own address is where clients go."""
    one = Cable(address)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield one
    server.close()
    one.cut()
