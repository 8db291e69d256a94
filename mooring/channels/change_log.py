"""What changed since somebody looked last."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from itertools import islice

_KEPT = 10_000
"""Changes that are remembered. Who looks less often looks at everything instead, which is then no more than one look for each change."""


class ChangeLog:
    """Keys that changed, for several readers, each of whom remembers the `number` up to which it has read."""

    def __init__(self) -> None:
        self.number = 0
        self._recent: deque[str] = deque(maxlen=_KEPT)

    def add(self, key: str) -> None:
        """This one changed."""
        self._recent.append(key)
        self.number += 1

    def add_all(self) -> None:
        """Any of them may have changed."""
        self._recent.clear()
        self.number += 1

    def since(self, number: int) -> Collection[str] | None:
        """What changed after `number`, each key once; None if it cannot be told, so that any may have."""
        missing = self.number - number
        if missing > len(self._recent):
            return None
        return dict.fromkeys(islice(reversed(self._recent), missing)) if missing else ()
