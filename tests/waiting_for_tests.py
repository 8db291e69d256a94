"""Waiting for what happens by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def eventually(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until it holds; a failure is that of the last look."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "what was waited for did not happen"
        await asyncio.sleep(0.01)


def wait_for(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """The same for threads."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "what was waited for did not happen"
        time.sleep(0.01)
