"""One store per folder and process, shared by all engine objects that name the folder."""

from __future__ import annotations

import os
from pathlib import Path
from threading import RLock, Thread

from storage.store import CHECKPOINT_BYTES, Store


class StoreRegistry:
    """Counts the users of each store; the last one to leave closes it. Thread-safe."""

    def __init__(self) -> None:
        self._users: dict[Path, tuple[Store, int]] = {}
        # A finalizer may run in the middle of our own code, so the same thread must be able to come in again.
        self._lock = RLock()
        os.register_at_fork(after_in_child=self._forget)

    def acquire(self, root: Path, *, checkpoint_bytes: int = CHECKPOINT_BYTES) -> Store:
        """Opens the store unless it is open; each call needs one `release`. Raises StoreLocked and OSError."""
        root = root.resolve()
        with self._lock:
            if root not in self._users:
                store = Store(root, checkpoint_bytes=checkpoint_bytes)
                self._users[root] = (store, 0)
            store, users = self._users[root]
            self._users[root] = (store, users + 1)
            return store

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
            if not store.is_own_thread():
                # Under the lock: whoever opens the folder next in this process must find it closed.
                store.close()
                return
        # A thread cannot wait for its own end.
        Thread(target=store.close, name="mooring-close").start()

    def _forget(self) -> None:
        """In a forked child: the stores stay the parent's."""
        self._lock = RLock()
        for store, _ in self._users.values():
            store.abandon()
        self._users.clear()
