"""A text that grows while it is written, as the answer of a language model: one message all the time."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from mooring.errors import TurnEnded
from mooring.events import TEXT, Down, MessageBody, MessageContent
from mooring.protocols import Service

_SHOWN_SECONDS = 0.1
_KEPT_SECONDS = 2.0


class StreamedText:
    """Made by `background.stream`. What was written is shown ten times a second, and noted every two seconds in case the process
    dies; it is a message like any other when the work is over."""

    def __init__(
        self,
        service: Service,
        channel_id: str,
        clock: Callable[[], float],
        keep: Callable[[MessageBody], Awaitable[None]],
        context: dict[str, Any],
    ) -> None:
        self.text = ""
        self._service = service
        self._channel_id = channel_id
        self._clock = clock
        self._keep = keep
        self._context = context
        self._message_id = secrets.token_hex(8)
        self._began = int(clock() * 1000)
        self._shown_at = self._kept_at = 0.0
        self._is_over = False

    async def write(self, more: str) -> None:
        """Add to the text. Raises TurnEnded when the work is over to which it belongs."""
        if self._is_over:
            raise TurnEnded("the work that streamed this text is over")
        self.text += more
        now = self._clock()
        if now - self._kept_at >= _KEPT_SECONDS:
            self._kept_at = now
            await self._keep(self._message())
        elif now - self._shown_at < _SHOWN_SECONDS:
            return
        self._shown_at = now
        self._service.show(Down("message_down", self._channel_id, self._message()))

    def fail(self, how: str) -> None:
        """The work ended before the text did."""
        if self.text and not self._is_over:
            self.text += f" ({how})"

    def final(self) -> MessageBody | None:
        """The message that stays, None if nothing was written. The work is over."""
        self._is_over = True
        return self._message() if self.text else None

    def _message(self) -> MessageBody:
        content, context = MessageContent(text=self.text), {**self._context} or None
        return MessageBody(TEXT, self._channel_id, content, timestamp=self._began, message_id=self._message_id, context=context)
