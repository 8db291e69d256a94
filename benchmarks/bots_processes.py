"""What the benchmark of bots has in common for all of them: a process in a folder of its own, and answers that go to those who wait."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from benchmarks.bots_counting import Gone, Unreadable

ROOT = Path(__file__).parents[1]
PATIENCE = 60
COUNT = re.compile(r"^(m\d+) is at (\d+)\.")


class ChildBot:
    """A bot whose answers are texts, one for each command that it handles."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._log = folder.with_suffix(".log")
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._answers: dict[str, asyncio.Queue[int | Exception]] = {}

    async def launch(self, command: list[str], *, stdin: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
        """Start a process in the folder; what it prints on stderr is kept beside it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._answers.clear()
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path, "MOORING_PORT": "0"},
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        return self._process

    async def until(self, ready: Awaitable[object]) -> None:
        """Wait until it is ready. Raises `Unreadable` if the process ends first, `TimeoutError` if nothing happens at all."""
        assert self._process is not None
        waiting, ending = asyncio.ensure_future(ready), asyncio.ensure_future(self._process.wait())
        await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        if not waiting.done():
            waiting.cancel()
            raise self.last_words() if ending.done() else TimeoutError("the bot does not come up")
        ending.cancel()
        await waiting

    def last_words(self) -> Unreadable:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return Unreadable(f"it does not start: {lines[-1] if lines else 'no word of why'}")

    def take(self, text: str) -> None:
        """An answer came: to the member it names, or an error, which is everybody's."""
        found = COUNT.match(text)
        if found is None:
            self.fail(Unreadable(text[:200]))
        else:
            self.queue_of(found[1]).put_nowait(int(found[2]))

    def queue_of(self, member: str) -> asyncio.Queue[int | Exception]:
        return self._answers.setdefault(member, asyncio.Queue())

    def fail(self, error: Exception) -> None:
        for queue in self._answers.values():
            queue.put_nowait(error)

    async def answers(self, member: str, send: Callable[[], Awaitable[None]], times: int) -> AsyncIterator[int | None]:
        """Send, and hand out as many answers. Raises what `fail` was given."""
        queue = self.queue_of(member)
        for _ in range(times):
            await send()
        for _ in range(times):
            answer = await asyncio.wait_for(queue.get(), PATIENCE)
            if isinstance(answer, Exception):
                raise answer
            yield answer

    async def kill(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            self.fail(Gone())

    def clear(self) -> None:
        shutil.rmtree(self.folder)


class ErrBot(ChildBot):
    """errbot, on its shelf."""

    async def start(self) -> None:
        process = await self.launch(["-m", "benchmarks.bots_children", "errbot", *self._arguments], stdin=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        line = asyncio.ensure_future(process.stdout.readline())
        await self.until(line)
        if line.result() != b"ready\n":
            raise self.last_words()
        self._listener = asyncio.create_task(self._listen(process.stdout))

    async def _listen(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            self.take(line.decode().strip())
        self.fail(Gone())

    def say(self, member: str, command_id: str, by: int, times: int) -> AsyncIterator[int | None]:
        """The id goes nowhere: errbot's messages have none that a plugin would ask for."""
        return self.answers(member, lambda: self._send(f"{member} !count {by}\n"), times)

    async def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode())
            await self._process.stdin.drain()
        except ConnectionError:
            raise Gone from None
