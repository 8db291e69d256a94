"""One store per folder and process, shared by all engine objects that name the folder."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event, RLock, Thread

from storage.json.store import CHECKPOINT_BYTES, Store
from storage.json.worker import in_worker


class StoreRegistry:
    """Counts the users of each store; the last one to leave closes it. Thread-safe."""

    def __init__(self) -> None:
        self._users: dict[Path, tuple[Store, int]] = {}
        self._closing: dict[Path, Event] = {}
        # A finalizer may run in the middle of our own code, so the same thread must be able to come in again.
        self._lock = RLock()
        os.register_at_fork(after_in_child=self._forget)

    def acquire(self, root: Path, *, checkpoint_bytes: int = CHECKPOINT_BYTES) -> Store:
        """Opens the store unless it is open; each call needs one `release`. Raises StoreLocked and OSError."""
        root = root.resolve()
        while True:
            with self._lock:
                closed = self._closing.get(root)
                if closed is None:
                    if root not in self._users:
                        self._users[root] = (Store(root, checkpoint_bytes=checkpoint_bytes), 0)
                    store, users = self._users[root]
                    self._users[root] = (store, users + 1)
                    return store
            closed.wait()

    def release(self, store: Store) -> None:
        """Closes the store if nobody else uses it."""
        with self._lock:
            known, users = self._users.get(store.root, (None, 0))
            if known is not store:
                return
            if users > 1:
                self._users[store.root] = (store, users - 1)
                return
            del self._users[store.root]
            closed = self._closing[store.root] = Event()
        # Not under the lock: closing waits for threads, and a finalizer may make one of those wait for the lock.
        if in_worker():
            Thread(target=self._close, args=(store, closed), name="mooring-close").start()
        else:
            self._close(store, closed)

    def _close(self, store: Store, closed: Event) -> None:
        try:
            store.close()
        finally:
            with self._lock:
                del self._closing[store.root]
            closed.set()

    def _forget(self) -> None:
        """In a forked child: the stores stay the parent's."""
        self._lock = RLock()
        for store, _ in self._users.values():
            store.abandon()
        self._users.clear()
        self._closing.clear()
