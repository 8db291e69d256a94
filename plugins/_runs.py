"""How many runs of each command go on in this service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from plugins._errors import CommandError


class Runs:
    """Counts runs against the limit that `@at_most` sets. Used on the event loop only."""

    def __init__(self) -> None:
        self._going: Counter[str] = Counter()

    @contextmanager
    def one(self, command: str, most: int | None) -> Iterator[None]:
        """Count one run while the block lasts. Raises CommandError if there are as many as may be."""
        if most is not None and self._going[command] >= most:
            times = "" if most == 1 else f" {most} times"
            raise CommandError(f"/{command} is running{times} already. Try again when it has finished.")
        self._going[command] += 1
        try:
            yield
        finally:
            self._going[command] -= 1
