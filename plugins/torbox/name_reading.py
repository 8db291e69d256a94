"""Reading many release names in processes of their own, so that channels go on meanwhile; each name once.

Not a pool of `concurrent.futures`: its processes import the program's main module, which may start a second service, and outlive a
program that was killed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mooring.plugins.torbox.release_names import Names, ReleaseName, read_release_name

_FEW = 100
"""Names that a thread reads in less time than a process takes to start."""
_CHUNK = 100
_MOST_PROCESSES = 4
_LONGEST_LINE = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


def known_names(records: Iterable[Mapping[str, Any]]) -> dict[Names, ReleaseName]:
    """What earlier records say of their names, corrections by hand included."""
    known: dict[Names, ReleaseName] = {}
    for record in records:
        with suppress(KeyError):  # a record of somebody else's
            known[Names(record["file_name"], record["folder_name"], record["path"])] = ReleaseName(
                title=record["metadata_title"],
                year=record["metadata_years"],
                season=record["metadata_season"],
                episode=record["metadata_episode"],
                media_type=record["metadata_mediatype"],
                file_name=record["metadata_filename"],
                folder_name=record["metadata_rootfoldername"],
            )
    return known


async def read_names(names: Iterable[Names], on_read: Callable[[int], None]) -> dict[Names, ReleaseName]:
    """What each of the names says; `on_read` hears how many are read so far. Processes are started only for many."""
    waiting = list(dict.fromkeys(names))
    if len(waiting) <= _FEW:
        return await asyncio.to_thread(_read_here, waiting)
    reading = _Reading(waiting, on_read)
    count = min(_MOST_PROCESSES, max(1, (os.cpu_count() or 1) - 1), -(-len(waiting) // _CHUNK))
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(reading.in_process())
    return reading.read


class _Reading:
    """The names that are still to be read, shared by the processes that read them."""

    def __init__(self, names: Sequence[Names], on_read: Callable[[int], None]) -> None:
        self.read: dict[Names, ReleaseName] = {}
        self._chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
        self._on_read = on_read

    async def in_process(self) -> None:
        """Let a process read chunks until there are none left. Where it fails, this one goes on, in a thread."""
        process = await _start()
        try:
            while self._chunks:
                chunk = self._chunks.pop()
                said = await _ask(process, chunk)
                self.read |= await asyncio.to_thread(_read_here, chunk) if said is None else said
                self._on_read(len(self.read))
        finally:
            if process is not None:
                await _end(process)


async def _start() -> Process | None:
    # Its own session: a Ctrl-C in the terminal is for the service, and its input ends with that.
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mooring.plugins.torbox.name_worker",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=_LONGEST_LINE,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except OSError as error:
        _log.warning("no process can be started to read release names (%s); they are read in the service", error)
        return None


async def _ask(process: Process | None, names: Sequence[Names]) -> dict[Names, ReleaseName] | None:
    if process is None or process.stdin is None or process.stdout is None or process.returncode is not None:
        return None
    try:
        process.stdin.write(json.dumps(names).encode("ascii") + b"\n")
        await process.stdin.drain()
        said = json.loads(await process.stdout.readline())
        return {name: ReleaseName(**each) for name, each in zip(names, said, strict=True)}
    except (OSError, ValueError, TypeError):  # it is gone, or has not answered as it does
        _log.warning("the process that reads release names has failed; they are read in the service")
        return None


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    # Cancelling must not leave it behind, nor its pipes.
    await asyncio.shield(process.communicate())


def _read_here(names: Iterable[Names]) -> dict[Names, ReleaseName]:
    return {name: read_release_name(*name) for name in names}
