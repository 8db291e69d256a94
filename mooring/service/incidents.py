"""What went wrong a short time ago and was mended: an operator who looks now should still read it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_SECONDS = 300.0
_MOST = 50


class Incidents:
    """The last ones of five minutes, each with how often it happened. `now` is monotonic. May be used from any thread."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._happened: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def add(self, text: str) -> None:
        """Note one."""
        _, count = self._happened.pop(text, (0.0, 0))
        self._happened[text] = (self._now(), count + 1)
        while len(self._happened) > _MOST:
            self._happened.popitem(last=False)

    def recent(self) -> list[str]:
        """In words, the newest last."""
        now = self._now()
        return [
            f"{text}, {now - at:.0f} s ago{f', for the {count}th time' if count > 1 else ''}"
            for text, (at, count) in list(self._happened.items())
            if now - at <= _SECONDS
        ]
