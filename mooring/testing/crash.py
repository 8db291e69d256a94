"""Crashes at the n-th commit, as far as storage can tell: the process stops there, and only what was written is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from storage.errors import CommitFailed
from storage.outcome import Outcome, WakeUps

if TYPE_CHECKING:
    from storage import DatabaseInterface, DomainChanges, Origin

When = Literal["before", "after"]


class Crashed(Exception):
    """The armed crash happened; the bot runs again, from what was on disk."""


class Crash:
    """Counts commits, and at the given one takes an image of the storage and lets nothing go on."""

    def __init__(self, take_image: Callable[[], None]) -> None:
        self.happened = asyncio.Event()
        self._take_image = take_image
        self._left = 0
        self._when: When = "before"
        self._thaw = asyncio.Event()
        self._newest: Outcome | None = None
        self._frozen: list[Outcome] = []
        self._is_stopping = False

    def arm(self, count: int, when: When) -> None:
        """Crash at the `count`-th commit from now, before or after it is written."""
        self._left, self._when = count, when

    def watch(self, engines: Iterable[DatabaseInterface]) -> None:
        """Stand before the commits of these engines."""
        for engine in engines:
            engine.commit_batch_async = self._guarded(engine.commit_batch_async)  # type: ignore[method-assign]
            engine.hand_in = self._guarded_hand_in(engine.hand_in)  # type: ignore[method-assign]

    def thaw(self) -> None:
        """Let what stands still end, after nobody listens to it any more."""
        self._thaw.set()
        wake_ups = WakeUps()
        while self._frozen:
            self._frozen.pop(0).settle(CommitFailed("the process is gone"), wake_ups)
        wake_ups.send()

    def _guarded(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        async def guarded(batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
            self._left -= 1
            is_the_one = self._left == 0
            if is_the_one and self._when == "before":
                await self._stand_still()
            await commit(batch, origin, sync=sync)
            if is_the_one:
                await self._stand_still()

        return guarded

    def _guarded_hand_in(self, hand_in: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
            self._left -= 1
            if self._left > 0 or (self._left < 0 and not self._is_stopping):
                self._newest = outcome
                return hand_in(batch, origin, outcome, after, sync=sync)
            if self._left == 0:
                self._is_stopping = True
                last = self._newest
                if self._when == "after":
                    last = Outcome()
                    hand_in(batch, origin, last, after, sync=sync)
                # Not before all that was handed in is written, so that the image is the same each time.
                if last is None:
                    self._stop()
                else:
                    last.add_done_callback(lambda _: self._stop())
            self._frozen.append(outcome)
            return object()

        return guarded

    def _stop(self) -> None:
        self._take_image()
        self.happened.set()

    async def _stand_still(self) -> None:
        self._stop()
        await self._thaw.wait()
        raise CommitFailed("the process is gone")
