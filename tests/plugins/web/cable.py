"""A network cable between clients and a server that can be pulled, can be slow, and can swallow everything without a word."""

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
        self.plugged = True
        self.delay = 0.0
        """So many seconds everything takes, each way."""
        self.opened = 0
        """How many connections there were."""
        self.address = ""
        self._generation = 0
        self._are_new_stalled = False

    def cut(self) -> None:
        self.plugged = False
        for writer in self._writers:
            writer.transport.abort()

    def stall(self, *, new_ones: bool = False) -> None:
        """Let nothing more through the connections that there are; they stay open, as when a router on the way has forgotten them.

        With `new_ones` those that come are like this as well, until `flow`.
        """
        self._generation += 1
        self._are_new_stalled = new_ones

    def flow(self) -> None:
        """Let new connections through; those that were stalled stay so."""
        self._are_new_stalled = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.plugged:
            writer.transport.abort()
            return
        self.opened += 1
        generation = -1 if self._are_new_stalled else self._generation
        far_reader, far_writer = await asyncio.open_connection(self._far.hostname, self._far.port)
        self._writers |= {writer, far_writer}
        with suppress(ConnectionError):
            await asyncio.gather(self._pass_on(reader, far_writer, generation), self._pass_on(far_reader, writer, generation))
        self._writers -= {writer, far_writer}
        for end in (writer, far_writer):
            end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: int) -> None:
        passing = asyncio.Queue[tuple[float, bytes]]()
        now = asyncio.get_running_loop().time

        async def read() -> None:
            while data := await reader.read(65_536):
                passing.put_nowait((now() + self.delay, data))
            passing.put_nowait((now() + self.delay, b""))

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while (due := await passing.get())[1]:
                await asyncio.sleep(max(0.0, due[0] - now()))
                if generation == self._generation:
                    writer.write(due[1])
                    await writer.drain()
        if generation == self._generation:
            with suppress(OSError):
                writer.write_eof()


@asynccontextmanager
async def cable(address: str) -> AsyncIterator[Cable]:
    """A cable to the server at `address`; its own address is where clients go."""
    one = Cable(address)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield one
    finally:
        server.close()
        one.cut()
