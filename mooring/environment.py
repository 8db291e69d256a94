"""What a service takes from the world around it, in one place, so that a test can hand in another world."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from mooring.clock import Clock
from mooring.threads import Threads


@dataclass(frozen=True)
class Environment:
    """The seams of a service. How long it waits is the event loop's matter (`loop.time`), and where it keeps things the engines'."""

    clock: Clock = time.time
    """Seconds since 1970, which may jump; nothing waits by it."""
    random: random.Random = field(default_factory=random.Random)
    """For ids that only have to differ. What must not be guessed comes from `secrets`."""
    threads: Threads = field(default_factory=Threads)
    """Where code runs that blocks."""
    is_watched: bool = True
    """Whether a thread watches that nothing blocks the event loop. A simulated loop has a time of its own, and knows."""
