"""The TorBox account while the service runs: client, databases, and the refreshes under way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, TypeVar

from mooring import Down
from mooring.plugins.torbox.api_key import ApiKey, KeyMissing
from mooring.plugins.torbox.budget import RequestBudget
from mooring.plugins.torbox.client import RequestLimits, TorBoxClient, resolve_api_url
from mooring.plugins.torbox.config import TorBoxConfig
from mooring.plugins.torbox.errors import TorBoxError
from mooring.plugins.torbox.name_reading import known_names, read_names
from mooring.plugins.torbox.pool import Pool, PoolSettings
from mooring.plugins.torbox.records import KINDS, Kind, list_files, make_record, names_of
from mooring.plugins.torbox.refresh import Generation, Refreshed, generation_of, replace_generation
from mooring.plugins.torbox.table import JournalDB
from storage import StorageError

T = TypeVar("T")

_log = logging.getLogger(__name__)

Watcher = Callable[[str, int, int | None], None]
"""Hears what is being done, how much of it is done, and how much there is to do, if that is known."""


@dataclass(frozen=True)
class Failure:
    """Why the last refresh of a kind failed, and when."""

    at: float
    reason: str


class Account:
    """On the event loop. `close` ends what is under way."""

    def __init__(
        self,
        config: TorBoxConfig,
        pool: Pool,
        show: Callable[[Down], None],
        *,
        on_key: Callable[[str], None] | None = None,
        budget: RequestBudget | None = None,
    ) -> None:
        """`on_key` hears each key that is used for the first time."""
        self.config = config
        self.pool = pool
        self.show = show
        """Delivers a down that is kept nowhere."""
        self.key = ApiKey(config.api_key_file, on_new=on_key)
        self.failures: dict[Kind, Failure] = {}
        with suppress(KeyMissing):
            self.key.get()  # from here on it is known, and looked for in records and log lines
        pool.configure(PoolSettings(config.root_dir, config.durability), self.key)
        self.client = TorBoxClient(
            self.key,
            resolve_api_url(config.api_url),
            limits=RequestLimits(timeout=config.timeout),
            budget=budget or RequestBudget(config.requests_per_minute),
        )
        self._running: dict[Kind, asyncio.Task[Refreshed]] = {}
        self._closed = False
        self._refreshing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to refresh all lists as often as the config says."""
        if self.config.refresh_minutes:
            self._refreshing = asyncio.create_task(self._refresh_all_every(self.config.refresh_minutes), name="torbox refresh")

    async def close(self) -> None:
        self._closed = True
        tasks: list[asyncio.Task[Any]] = [*self._running.values(), *filter(None, [self._refreshing])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, TorBoxError, StorageError, OSError, KeyMissing):
                await task
        await self.client.aclose()
        await asyncio.to_thread(self.pool.close_all)

    async def refresh(self, kind: Kind, watch: Watcher, *, force: bool = False) -> Refreshed:
        """Fetch the list and make it the new generation. Who asks while it is under way gets the outcome of that one.

        Raises TorBoxError, KeyMissing, StorageError and OSError; the generation before is then still there.
        """
        running = self._running.get(kind)
        if running is not None and force:
            with suppress(TorBoxError):
                await asyncio.shield(running)
            running = self._running.get(kind)
        if running is None:
            self.key.get()
            running = self._running[kind] = asyncio.create_task(self._refresh(kind, watch, force=force))
            running.add_done_callback(lambda _: self._running.pop(kind, None))
        else:
            watch(f"Waiting for the refresh of {kind} that is under way", 0, None)
        return await asyncio.shield(running)

    async def _refresh_all_every(self, minutes: float) -> None:
        """Runs until it is cancelled. Failures are logged and tried again the next time."""
        while True:
            for kind in KINDS:
                try:
                    _log.info("%s: %s", kind, await self.refresh(kind, _unwatched))
                except (TorBoxError, KeyMissing, StorageError, OSError) as error:
                    _log.warning("the refresh of %s failed: %s", kind, error)
            await asyncio.sleep(minutes * 60)

    async def store(self, kind: Kind, items: list[Any], watch: Watcher, *, force: bool = False, merge: bool = False) -> Refreshed:
        """Make records of listed items and keep them: as a new generation, or added to the one that is there."""
        known = await self._use(kind, lambda database: known_names(database.store.documents(database.default_table_name).values()))
        listed = await asyncio.to_thread(list_files, items)
        unread = [names for item, file in listed.files if (names := names_of(item, file)) not in known]
        if unread:
            watch(f"Reading the names of {kind}", 0, len(unread))
            known |= await read_names(unread, lambda read: watch(f"Reading the names of {kind}", read, len(unread)))
        watch(f"Keeping {kind}", len(items), len(items))

        def keep(database: JournalDB) -> Refreshed:
            records = [make_record(kind, item, file, known[names_of(item, file)]) for item, file in listed.files]
            return replace_generation(database, kind, records, force=force, skipped=listed.skipped, merge=merge)

        return await self._use(kind, keep)

    async def generation(self, kind: Kind) -> Generation | None:
        return await self._use(kind, generation_of)

    async def count(self, kind: Kind) -> int:
        return await self._use(kind, len)

    def age(self, generation: Generation | None) -> float | None:
        """Seconds since the list was fetched."""
        return None if generation is None else max(0.0, time.time() - generation.refreshed_at)

    def ages(self) -> dict[str, float]:
        """Seconds since each list was fetched, without those that never were. Blocks; from any thread. Raises StorageError and OSError."""
        if self._closed:
            return {}  # whoever asks then must not open the databases again
        kept = {kind: generation_of(self.pool.get(kind)) for kind in KINDS if self.pool.exists(kind)}
        return {kind: age for kind, generation in kept.items() if (age := self.age(generation)) is not None}

    def problem(self) -> str | None:
        """Why no database can be written, None if they can. Blocks; from any thread."""
        folder = self.pool.folder
        if self._closed:
            return None
        place = next(each for each in (folder, *folder.parents) if each.exists())  # what is not there yet is made with the first list
        try:
            with TemporaryFile(dir=place) as file:
                file.write(b"probe")
        except OSError as error:
            return f"the folder {folder} cannot be written: {error.strerror}; give the service the right to, or set another root_dir"
        return None

    async def _refresh(self, kind: Kind, watch: Watcher, *, force: bool) -> Refreshed:
        async def tell(count: int) -> None:
            watch(f"Fetching {kind}", count, None)

        try:
            watch(f"Fetching {kind}", 0, None)
            items = await self.client.list_items(kind, tell)
            refreshed = await self.store(kind, items, watch, force=force)
        except (TorBoxError, StorageError, OSError) as error:
            self.failures[kind] = Failure(time.time(), str(error))
            raise
        self.failures.pop(kind, None)
        return refreshed

    async def _use(self, kind: Kind, work: Callable[[JournalDB], T]) -> T:
        return await asyncio.to_thread(self.pool.use, kind, work)


def _unwatched(_what: str, _done: int, _total: int | None) -> None:
    pass
