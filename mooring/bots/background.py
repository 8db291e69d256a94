"""Work beside a channel: long fetches that must not hold up its members."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar

from mooring.bots.messages import Message
from mooring.bots.progress import Progress
from mooring.clock import use_clock
from mooring.errors import CommandError
from mooring.protocols import Service

T = TypeVar("T")


class Replies(Protocol):
    """As much of a Context as is used here; the whole of it is what `in_channel` hands on."""

    def reply(self, message: Message) -> object: ...


ContextT = TypeVar("ContextT", bound=Replies)


class Background(Generic[ContextT]):
    """The way back into the channel for work that runs beside it. `mooring.Background` is this with the Context of commands."""

    def __init__(
        self,
        service: Service[ContextT],
        channel_id: str,
        clock: Callable[[], float],
        take_over: Callable[[ContextT], ContextT],
        context: dict[str, Any],
    ) -> None:
        self._service = service
        self._channel_id = channel_id
        self.clock = clock
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

    async def close(self) -> None:
        """Turn what `progress` showed last into replies."""
        finals = [final for progress in self._progress if (final := progress.final()) is not None]
        if finals:
            await self.in_channel(lambda ctx: _send(ctx, finals))


async def _send(ctx: Replies, messages: Sequence[Message]) -> None:
    for message in messages:
        ctx.reply(message)


def run_in_background(
    service: Service[ContextT],
    handle: Background[ContextT],
    work: Callable[[Background[ContextT]], Awaitable[None]],
    name: str,
    limit: AbstractContextManager[None],
) -> None:
    """Start `work` as a task of the service, counted by `limit`; a CommandError that either raises is told in the channel."""

    async def run() -> None:
        try:
            with limit, use_clock(handle.clock):
                await work(handle)
        except CommandError as error:
            await handle.reply(str(error))
        finally:
            await handle.close()

    service.spawn(run(), name=name)
