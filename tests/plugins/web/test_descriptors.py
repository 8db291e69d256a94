"""A process with few file descriptors: those who are in are served, whoever else comes, and the log stays short."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.process_for_tests import ROOT, Process, launch, member, write_configs


@asynccontextmanager
async def running(folder: Path, limit: str = "-n 64") -> AsyncIterator[Process]:
    command = ["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", sys.executable, str(ROOT / "service.py"), *write_configs(folder)]
    process = await launch(folder, command)
    try:
        yield process
    finally:
        if process.process.returncode is None:
            process.kill()
            await process.wait()


async def test_seventy_clients_take_nothing_from_the_storage(tmp_path: Path) -> None:
    async with running(tmp_path) as process, AsyncExitStack() as stack:
        ann = await stack.enter_async_context(member(process.address, name="ann"))

        async def come() -> int:
            try:
                await stack.enter_async_context(connect(process.address.replace("http", "ws", 1) + "ws", proxy=None))
            except InvalidStatus as error:
                return error.response.status_code
            return 101

        answers = await asyncio.gather(*(come() for _ in range(70)))
        assert set(answers) == {101, 429}, "everybody is answered"
        assert answers.count(101) > 20
        for _ in range(20):
            assert (await ann.say("/hit @ann 1"))["body"]["ok"]
        code, log = await process.end()
        assert code == 0
    assert "limits.connections of the gateway is 5000, but this process may have 64 files and connections open at once, which leaves" in log
    assert len(log.splitlines()) < 20, log


async def test_accepting_stops_before_there_are_none_left_and_goes_on_when_there_are(tmp_path: Path) -> None:
    async with running(tmp_path) as process:
        port = int(process.address.rstrip("/").rpartition(":")[2])
        async with member(process.address, name="ann") as ann:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(70)]
            for _ in range(20):
                assert (await ann.say("/hit @ann 1"))["body"]["ok"]
            for _, writer in silent:
                writer.close()
            async with member(process.address, name="bob") as bob:
                assert (await bob.say("/hit @ann 1"))["body"]["ok"]
        code, log = await process.end()
        assert code == 0
    assert "No more connections are accepted until there is room: of 64 files that may be open at once no more than 16 are left" in log
    assert len(log.splitlines()) < 20, log


async def test_a_process_that_could_take_nobody_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, "-n 32") as process:
        assert process.line == ""
        code, log = await process.end(0)
        assert code != 0
        assert "which leaves 0 for members" in log


async def test_a_limit_that_can_be_raised_is(tmp_path: Path) -> None:
    async with running(tmp_path, "-Sn 64") as process:
        _, log = await process.end()
        assert "limits.connections" not in log
