"""What all engine objects of a process share, such as the store of a folder or the client of a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from functools import partial
from threading import Event, RLock, Thread
from typing import Generic, Protocol, TypeVar

from storage.engine_support.worker import in_worker


class Shareable(Protocol):
    """What can be shared."""

    def close(self) -> None:
        """Called once, when the last user has left."""

    def abandon(self) -> None:
        """Called in a forked child instead: what the parent goes on using must not be touched."""


Key = TypeVar("Key", bound=Hashable)
Shared = TypeVar("Shared", bound=Shareable)


class _Use(Generic[Shared]):
    def __init__(self, instance: Shared) -> None:
        self.instance = instance
        self.users = 0


class SharedInstances(Generic[Key, Shared]):
    """Counts the users of each instance; the last one to leave closes it. Thread-safe, and fit to be called by finalizers."""

    def __init__(self) -> None:
        self._uses: dict[Key, _Use[Shared]] = {}
        self._closing: dict[Key, Event] = {}
        # A finalizer may run in the middle of our own code, so the same thread must be able to come in again.
        self._lock = RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def acquire(self, key: Key, make: Callable[[], Shared]) -> tuple[Shared, Callable[[], None]]:
        """The instance of the key, made if there is none, and what to call once when it is no longer needed.

        Raises what `make` raises. Waits for an instance that is just being closed, as a folder has one store at a time.
        """
        while True:
            with self._lock:
                closed = self._closing.get(key)
                if closed is None:
                    use = self._uses.get(key)
                    if use is None:
                        use = self._uses[key] = _Use(make())
                    use.users += 1
                    return use.instance, partial(self._release, key, use)
            closed.wait()

    def _release(self, key: Key, use: _Use[Shared]) -> None:
        with self._lock:
            use.users -= 1
            if use.users or self._uses.get(key) is not use:  # it is the parent's, and this is a forked child
                return
            del self._uses[key]
            closed = self._closing[key] = Event()
        # Not under the lock: closing waits for threads, and a finalizer may make one of those wait for the lock.
        if in_worker():
            Thread(target=self._close, args=(key, use.instance, closed), name="mooring-close").start()
        else:
            self._close(key, use.instance, closed)

    def _close(self, key: Key, instance: Shared, closed: Event) -> None:
        try:
            instance.close()
        finally:
            with self._lock:
                del self._closing[key]
            closed.set()

    def _forget(self) -> None:
        self._lock = RLock()
        for use in self._uses.values():
            use.instance.abandon()
        self._uses.clear()
        self._closing.clear()
