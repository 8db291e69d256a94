"""The channels that are made at run time: changing them, in a commit of its own, and letting this process follow what is so."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mooring.channels.registry import ChannelRegistry
from mooring.made_channels import MadeChannel, variant_of
from mooring.outages import Outage
from mooring.threads import Threads
from storage import StorageError

log = logging.getLogger("service")
T = TypeVar("T")

Reconcile = Callable[[Collection[str]], Awaitable[None]]
"""Makes so what the registry says of these channels: opens, closes and renames them. Raises nothing."""

_RETRY = 5.0
"""Seconds until what could not be read is read again."""


class RunTimeChannels:
    """One for a service. On the event loop; the registry itself is used in threads."""

    def __init__(self, threads: Threads, reconcile: Reconcile) -> None:
        self._threads = threads
        self._reconcile = reconcile
        self._registry: ChannelRegistry | None = None
        self._open: dict[str, MadeChannel] = {}
        self._touched: set[str] = set()
        """The channels of which something may have changed since they were reconciled last."""
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        # Not the context of whoever changes something: that may be inside a transaction, which takes in the dicts of its channel alone.
        self._outside = contextvars.copy_context()

    async def begin(self, service_id: str, db_config: Sequence[Mapping[str, Any]], configured: Iterable[str], clock: Callable[[], float]) -> None:
        """Find out which channels there are. Raises ConfigError and StorageError."""
        registry = self._registry = await self._threads.run(ChannelRegistry, service_id, db_config, clock)
        await self._threads.run(registry.note_configured, list(configured))
        loop = asyncio.get_running_loop()

        def heard() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._changed.set)

        await self._threads.run(registry.follow, heard)
        await self._read(registry, None)

    async def note_configured(self, channel_ids: Iterable[str]) -> None:
        """The config names these channels now. Raises StorageError."""
        if self._registry is not None:
            await self._threads.run(self._registry.note_configured, list(channel_ids))

    def close(self) -> None:
        """Close the storage, which blocks. Calling it twice is fine."""
        if self._registry is not None:
            self._registry.close()
            self._registry = None

    # -- looking ---------------------------------------------------------------------------------------------------------

    @property
    def open(self) -> Mapping[str, MadeChannel]:
        """Those that are to be open, by id, in the order in which they were made."""
        return self._open

    @property
    def keeps(self) -> bool:
        """Whether they are there after a restart."""
        return self._registry is not None and self._registry.keeps

    def has(self, channel_id: str) -> bool:
        """Whether there is such a channel, open or about to be."""
        return channel_id in self._open

    def variant(self, channel_id: str) -> str:
        """The variant of the storage of a channel, of the config's ones, too."""
        return "" if self._registry is None else variant_of(self._registry.incarnation(channel_id))

    def variants(self) -> Mapping[tuple[str, str], str]:
        """As `storage.domains.variants` has them; a look at them, always as they are."""
        return {} if self._registry is None else _Variants(self._registry)

    async def all(self) -> list[MadeChannel]:
        """All that are open or archived, in the order in which they were made."""
        return await self.change(lambda registry: registry.all())

    async def deleted(self) -> list[MadeChannel]:
        """Those that were deleted and not pruned."""
        return await self.change(lambda registry: registry.deleted())

    # -- changing --------------------------------------------------------------------------------------------------------

    async def change(self, work: Callable[[ChannelRegistry], T]) -> T:
        """Change something in a commit of its own, whatever becomes of the event in hand. Raises what `work` raises, and StorageError."""
        registry = self._registry
        if registry is None:
            raise StorageError("the service is not up")

        async def outside() -> T:
            changed = await self._threads.run(registry.refresh)
            result = await self._threads.run(work, registry)
            if changed is not None and isinstance(result, MadeChannel):
                changed = {*changed, result.id}
            await self._read(registry, changed)
            return result

        result = await asyncio.get_running_loop().create_task(outside(), name="channels", context=self._outside.copy())
        self._changed.set()
        return result

    def look_again(self, channel_id: str) -> None:
        """This channel is not as the registry says, and is tried again in a while."""
        asyncio.get_running_loop().call_later(_RETRY, self._touch, channel_id)

    def _touch(self, channel_id: str) -> None:
        self._touched.add(channel_id)
        self._changed.set()

    async def settle(self) -> None:
        """Let this process be as the registry says, and wait for it. Not inside of an event."""
        async with self._one_at_a_time:
            self._changed.clear()
            touched, self._touched = self._touched, set()
            if touched:
                await self._reconcile(touched)

    async def follow(self) -> None:
        """Do so whenever something has changed, here or in another process, until cancelled."""
        outage = Outage(log, "which channels there are cannot be read", "which channels there are can be read again")
        while True:
            await self._changed.wait()
            try:
                if self._registry is not None:
                    await self._read(self._registry, await self._threads.run(self._registry.refresh))
                await self.settle()
                outage.worked()
            except StorageError as error:
                outage.failed(error)
                await asyncio.sleep(_RETRY)
                self._changed.set()

    async def _read(self, registry: ChannelRegistry, changed: Collection[str] | None) -> None:
        """Take over what is kept of these channels; None for all. What a change costs does not grow with how many there are."""
        if changed is None:
            made = await self._threads.run(registry.all)
            self._touched |= self._open.keys() | {each.id for each in made}
            self._open = {each.id: each for each in made if each.is_open}
            return
        self._touched.update(changed)
        for channel_id in changed:
            there = registry.get(channel_id)
            if there is not None and there.is_open:
                self._open[channel_id] = there
            else:
                self._open.pop(channel_id, None)


class _Variants(Mapping[tuple[str, str], str]):
    """Those of the channels whose id was given before."""

    def __init__(self, registry: ChannelRegistry) -> None:
        self._registry = registry

    def __getitem__(self, ids: tuple[str, str]) -> str:
        service_id, channel_id = ids
        variant = variant_of(self._registry.incarnation(channel_id)) if service_id == self._registry.service_id else ""
        if not variant:
            raise KeyError(ids)
        return variant

    def __iter__(self) -> Iterator[tuple[str, str]]:
        every = ((self._registry.service_id, channel_id) for channel_id in self._registry.ids())
        return (ids for ids in every if ids in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
