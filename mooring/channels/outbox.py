"""What one event sends: collected while its handlers run, and let go after its commit."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mooring.channels.sent_files import LocalFile, SentFiles
from mooring.events import TEXT, Down, DownType, MessageBody, MessageContent, copy_with

AfterCommit = Callable[[], Awaitable[None] | None]


class Outbox:
    """The sends of one event in one channel.

    Nothing leaves it by itself: the channel numbers the messages and keeps them in the event's commit, and delivers them after
    it. If the event is rolled back or run again, its outbox is dropped as a whole. May be used from the handler's thread.
    """

    def __init__(self, channel_id: str, clock: Callable[[], float], sent_files: SentFiles | None = None) -> None:
        self.channel_id = channel_id
        self.downs: list[Down] = []
        self.after: list[AfterCommit] = []
        self._clock = clock
        self._sent_files = sent_files

    def message(self, message: MessageBody | str, recipients: Iterable[str] | None = None, *, context: dict[str, Any] | None = None) -> MessageBody:
        """Send a message to `recipients` (member ids; None: everybody) and return it with its id and time filled in."""
        body = MessageBody(TEXT, self.channel_id, MessageContent(text=message)) if isinstance(message, str) else message
        if isinstance(body.content.path, LocalFile) and self._sent_files is not None:
            body = copy_with(body, content=copy_with(body.content, path=self._sent_files.put(body.content.path, self._clock())))
        body = copy_with(
            body,
            channel_id=self.channel_id,
            timestamp=int(self._clock() * 1000),
            recipients=[] if recipients is None else sorted(set(recipients)),
            message_id=body.message_id or f"{random.getrandbits(64):016x}",
            context={**(body.context or {}), **context} if context else body.context,
        )
        self.update("message_down", body, None if recipients is None else body.recipients)
        return body

    def update(self, kind: DownType, body: Any, recipients: Iterable[str] | None = None) -> None:
        """Send an update of the named kind; its body is what the kind shows, all of it."""
        self.downs.append(Down(kind, self.channel_id, body, None if recipients is None else frozenset(recipients)))

    def after_commit(self, call: AfterCommit) -> None:
        """Call, and await if it can be awaited, when the commit succeeded and the downs were delivered."""
        self.after.append(call)
