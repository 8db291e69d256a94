"""Work beside a channel: long fetches that must not hold up its members."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from mooring.bots.messages import Message
from mooring.bots.progress import Progress
from mooring.clock import use_clock
from mooring.containment import within
from mooring.errors import CommandError, new_reference
from mooring.protocols import Service

log = logging.getLogger(__name__)
T = TypeVar("T")


class Replies(Protocol):
    """As much of a Context as is used here; the whole of it is what `in_channel` hands on."""

    def reply(self, message: Message) -> object: ...

    def refuse(self, text: str) -> None: ...


ContextT = TypeVar("ContextT", bound=Replies)


class Background(Generic[ContextT]):
    """The way back into the channel for work that runs beside it. `mooring.Background` is this with the Context of commands."""

    def __init__(
        self,
        service: Service[ContextT],
        channel_id: str,
        hand: use_clock,
        take_over: Callable[[ContextT], ContextT],
        context: dict[str, Any],
    ) -> None:
        self._service = service
        self._channel_id = channel_id
        self.hand = hand
        """In whose name it runs, and by which clock."""
        self.clock = hand.clock
        """Seconds since 1970; in tests the time that the test sets."""
        self._take_over = take_over
        self._context = context
        self._progress: list[Progress] = []

    async def in_channel(self, work: Callable[[ContextT], Awaitable[T]]) -> T:
        """Run `work(ctx)` in the channel's order and in a transaction, in the name of the member who began this."""
        return await self._service.in_channel(self._channel_id, lambda ctx: work(self._take_over(ctx)), name="background")

    async def reply(self, message: Message) -> None:
        """Answer in the channel, for all of its members."""
        await self.in_channel(lambda ctx: _send(ctx, [message]))

    def progress(self, label: str, total: int | None = None) -> Progress:
        """One message that shows how far the work is; what it shows last stays in the channel."""
        progress = Progress(self._service, self._channel_id, self.clock, label=label, total=total, context=self._context)
        self._progress.append(progress)
        return progress

    def stop_progress(self) -> None:
        """Show on the progress that the work has failed."""
        for progress in self._progress:
            progress.fail("failed")

    async def close(self) -> None:
        """Turn what `progress` showed last into replies."""
        finals = [final for progress in self._progress if (final := progress.final()) is not None]
        if finals:
            await self.in_channel(lambda ctx: _send(ctx, finals))


async def _send(ctx: Replies, messages: Sequence[Message]) -> None:
    for message in messages:
        ctx.reply(message)


async def _refuse(ctx: Replies, text: str) -> None:
    ctx.refuse(text)


def run_in_background(
    service: Service[ContextT],
    handle: Background[ContextT],
    work: Callable[[Background[ContextT]], Awaitable[None]],
    name: str,
    limit: AbstractContextManager[None],
) -> None:
    """Start `work` as a task of the service, counted by `limit`.

    A CommandError that either raises is told in the channel; whatever else is logged, and the member who began it is told with a
    reference. Its progress is shown as failed.
    """

    async def limited() -> None:
        with limit, handle.hand:
            await work(handle)

    async def run() -> None:
        try:
            await within(None, limited(), name)
        except CommandError as error:
            handle.stop_progress()
            await handle.reply(str(error))
        except Exception:
            reference = new_reference()
            log.exception("%s failed in the background (reference %s)", name, reference)
            handle.stop_progress()
            await handle.in_channel(lambda ctx: _refuse(ctx, f"Something went wrong in the background (reference {reference})."))
        finally:
            await handle.close()

    service.spawn(run(), name=name)
