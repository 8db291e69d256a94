"""A disk whose syncs a test can hold up, and let fail."""

from __future__ import annotations

import errno
from threading import Event

from storage.files import Files


class SlowDisk(Files):
    """Each sync of a journal waits until `go` is set, and then fails if `is_broken`, leaving what was written where it is."""

    def __init__(self) -> None:
        self.go = Event()
        self.go.set()
        self.reached = Event()
        self.is_broken = False
        self.syncs = 0

    def sync_data(self, descriptor: int) -> None:
        self.reached.set()
        assert self.go.wait(20), "the test forgot to let the disk go on"
        self.syncs += 1
        if self.is_broken:
            raise OSError(errno.EIO, "the test's disk is broken")
        super().sync_data(descriptor)

    def hold(self) -> None:
        self.reached.clear()
        self.go.clear()

    def fail(self) -> None:
        """What is held up fails, and nothing after it."""
        self.is_broken = True
        self.go.set()

    def mend(self) -> None:
        self.is_broken = False
        self.go.set()
