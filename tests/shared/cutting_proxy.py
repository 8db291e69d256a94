"""A TCP proxy that cuts connections, where a test wants it: between a request and its answer."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress


class CuttingProxy:
    """Passes everything on to `target` on this machine. `cut_all` ends all connections; `lose_answers` loses the next answers."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.cuts = 0
        self.chance = 0.0
        """How likely it is that an answer is lost and its connection cut."""
        self._random = random.Random(7)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *details: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError):
                server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.target)
                self._writers |= {writer, server_writer}
                await asyncio.gather(self._pass(reader, server_writer, answers=False), self._pass(server_reader, writer, answers=True))
                self._writers -= {writer, server_writer}
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if answers and self._random.random() < self.chance:
                    self.cuts += 1
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
