"""A command in the middle of which the process is killed, once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from pydantic import BaseModel

from mooring import Context, Store, command

counted = Store("counted", model=int, default=0, scope="channel")


class Config(BaseModel):
    mark: Path


@command
def count(ctx: Context) -> str:
    """Count one more."""
    counted[ctx] += 1
    mark = ctx.config.mark
    if counted[ctx] == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"counted {counted[ctx]}"
