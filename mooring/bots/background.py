"""Work beside a channel: long fetches that must not hold up its members."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Generic, Protocol, TypeVar

from mooring.bots.messages import Message
from mooring.bots.progress import Progress
from mooring.bots.streaming import StreamedText
from mooring.channels.interrupted import forget_unfinished, keep_unfinished
from mooring.clock import use_clock
from mooring.containment import within
from mooring.errors import CommandError, new_reference
from mooring.events import MessageBody
from mooring.protocols import Service, ServiceError
from storage import MoobiusStorage, StorageError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Replies(Protocol):
    """As much of a Context as is used here; the whole of it is what `in_channel` hands on."""

    @property
    def storage(self) -> MoobiusStorage: ...

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
        self._shown: list[Progress | StreamedText] = []
        self._beginnings: set[asyncio.Task[None]] = set()
        """What is kept of progress when it begins, so that the next start finds it if this process dies."""
        self._loop: asyncio.AbstractEventLoop | None = None

    async def in_channel(self, work: Callable[[ContextT], Awaitable[T]]) -> T:
        """Run `work(ctx)` in the channel's order and in a transaction, in the name of the member who began this."""
        return await self._service.in_channel(self._channel_id, lambda ctx: work(self._take_over(ctx)), name="background")

    async def reply(self, message: Message) -> None:
        """Answer in the channel, for all of its members."""
        await self.in_channel(lambda ctx: _send(ctx, [message]))

    def progress(self, label: str, total: int | None = None) -> Progress:
        """One message that shows how far the work is; what it shows last stays in the channel."""

        def begun() -> None:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._begin, progress)

        progress = Progress(self._service, self._channel_id, self.clock, label=label, total=total, context=self._context, begun=begun)
        self._shown.append(progress)
        return progress

    def stream(self) -> StreamedText:
        """One message whose text grows with each `await stream.write(more)`."""
        stream = StreamedText(self._service, self._channel_id, self.clock, self._keep, self._context)
        self._shown.append(stream)
        return stream

    def enter_loop(self) -> None:
        """Begin on the event loop that runs; `ctx.background` may have been called in a worker thread, where none does."""
        self._loop = asyncio.get_running_loop()

    def stop_progress(self) -> None:
        """Show on the progress that the work has failed."""
        for each in self._shown:
            each.fail("failed")

    async def close(self) -> None:
        """Turn what `progress` and `stream` showed last into replies."""
        if self._beginnings:
            await asyncio.wait(self._beginnings)
        finals = [final for each in self._shown if (final := each.final()) is not None]
        if finals:
            await self.in_channel(lambda ctx: _finish(ctx, finals))

    def _begin(self, progress: Progress) -> None:
        if progress.is_over:
            return
        beginning = asyncio.create_task(self._keep_progress(progress))
        self._beginnings.add(beginning)
        beginning.add_done_callback(self._beginnings.discard)

    async def _keep_progress(self, progress: Progress) -> None:
        with suppress(ServiceError, StorageError):  # then it is shown all the same, and its end is kept or not like any other
            await self._keep(progress.message())

    async def _keep(self, body: MessageBody) -> None:
        await self.in_channel(lambda ctx: _note(ctx, self._service.process_id(self._channel_id), body))


async def _send(ctx: Replies, messages: Sequence[Message]) -> None:
    for message in messages:
        ctx.reply(message)


async def _finish(ctx: Replies, finals: Sequence[MessageBody]) -> None:
    for final in finals:
        forget_unfinished(ctx.storage, final.message_id)
        ctx.reply(final)


async def _note(ctx: Replies, writer: str, body: MessageBody) -> None:
    keep_unfinished(ctx.storage, writer, body)


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
        handle.enter_loop()
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
