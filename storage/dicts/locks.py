"""Waiting for the locks of engines, on threads and on event loops.

The locks of one storage are taken in one order that all share, and an event loop holds none while it waits; so no two
transactions of storages can wait for each other. Whoever waits says so to those who hold locks over many transactions, and
they let go soon. docs/architecture.md, "Locks", has the order of all locks of storage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from storage.dicts.scope import innermost
from storage.domain_lock import DomainLock, Holder
from storage.errors import StorageBusy
from storage.locking import FOREVER

FIRST_PAUSE = 0.0005
LONGEST_PAUSE = 0.01


def in_order(locks: Iterable[DomainLock]) -> tuple[DomainLock, ...]:
    """Each lock once, in the order in which everybody takes them."""
    return tuple(sorted(set(locks), key=id))


def take_all(locks: Sequence[DomainLock], patience: float = FOREVER) -> None:
    """Wait until all are taken, each for `patience` seconds.

    Raises StorageBusy then, and where waiting would block an event loop or would never end.
    """
    if try_all(locks):
        return
    refuse_own(locks)
    with announced(locks):
        if asyncio._get_running_loop() is not None:
            _take_all_on_a_loop(locks)
            return
        for lock in locks:
            if not lock.wait(patience):
                release_all(locks[: locks.index(lock)])
                raise StorageBusy(f"another transaction did not end within {patience} seconds")


async def take_all_async(locks: Sequence[DomainLock]) -> None:
    """The same, where the event loop goes on meanwhile.

    It asks again and again instead of waiting in worker threads: those could all be taken by waiters while the one
    transaction that they wait for needs a worker to commit.
    """
    if try_all(locks):
        return
    with announced(locks):
        pause = FIRST_PAUSE
        while not try_all(locks):
            refuse_own(locks)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def try_all(locks: Sequence[DomainLock]) -> bool:
    """Take all or none, without waiting."""
    for lock in locks:
        if not lock.acquire(False):
            release_all(locks[: locks.index(lock)])
            return False
    return True


def release_all(locks: Sequence[DomainLock]) -> None:
    for lock in locks:
        lock.release()


@contextmanager
def held(locks: Sequence[DomainLock], patience: float = FOREVER) -> Iterator[None]:
    """Hold all of them for a block; raises as `take_all` does."""
    take_all(locks, patience)
    try:
        yield
    finally:
        release_all(locks)


@contextmanager
def announced(locks: Sequence[DomainLock], own: Holder | None = None) -> Iterator[None]:
    """Let those know that somebody waits who hold these locks over many transactions, `own` excepted."""
    waiter = object()
    holders = {holder for lock in locks for holder in lock.holders() if holder is not own}
    for holder in holders:
        holder.waiting.append(waiter)
    try:
        yield
    finally:
        for holder in holders:
            holder.waiting.remove(waiter)


def refuse_own(locks: Sequence[DomainLock]) -> None:
    """Raise StorageBusy if the running code waits for a transaction of its own, which could never end, and StorageError in a forked child."""
    for lock in locks:
        lock.refuse_fork()
    scope = innermost.get()
    while scope is not None:
        if scope.is_open and not set(locks).isdisjoint(scope.locks):
            raise StorageBusy("this code is inside a transaction over the same data, opened through another storage object; use that one here")
        scope = scope.parent


def refuse_to_block() -> None:
    """Raise StorageBusy on an event loop."""
    if asyncio._get_running_loop() is not None:
        raise StorageBusy("another transaction is open, and waiting for it here would block the event loop; use `async with`, or a worker thread")


def _take_all_on_a_loop(locks: Sequence[DomainLock]) -> None:
    """Commits on their way end by themselves, in the time of one sync; an open transaction may need this very loop to end."""
    while not try_all(locks):
        if not all(_is_draining(lock) for lock in locks):
            refuse_to_block()
        time.sleep(FIRST_PAUSE)


def _is_draining(lock: DomainLock) -> bool:
    # Asked again at the end, as it may have been let go of meanwhile.
    return not lock.locked() or any(holder.is_draining for holder in lock.holders()) or not lock.locked()
