"""What one event sends: collected while its handlers run, and let go after its commit."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mooring.channels.outbox_entries import Parcel
from mooring.channels.sent_files import LocalFile, SentFiles
from mooring.events import TEXT, Cause, Down, MessageBody, MessageContent, copy_with
from mooring.kinds import MESSAGE_DOWN, DownKind

AfterCommit = Callable[[], Awaitable[None] | None]


class Sends:
    """The sends of one event in one channel.

    Nothing leaves it by itself: the channel numbers the messages and keeps them in the event's commit, and delivers them after
    it. If the event is rolled back or run again, all of it is dropped. May be used from the handler's thread.
    """

    def __init__(
        self, channel_id: str, clock: Callable[[], float], sent_files: SentFiles | None = None, cause: Cause | None = None
    ) -> None:
        self.channel_id = channel_id
        self.downs: list[Down] = []
        self.after: list[AfterCommit] = []
        self.parcels: list[Parcel] = []
        """What goes to other channels."""
        self.clean = 0
        """How many entries of the outbox that have arrived are to be taken out."""
        self._clock = clock
        self._sent_files = sent_files
        self._cause = cause

    def message(
        self,
        message: MessageBody | str,
        recipients: Iterable[str] | None = None,
        *,
        context: dict[str, Any] | None = None,
        timestamp: int | None = None,
    ) -> MessageBody:
        """Send a message to `recipients` (member ids; None: everybody) and return it with its id and time filled in.

        With the id of a message that was sent before, it takes the place of that one; `timestamp` is then the older one's.

        The body is taken over: this very object is kept in the history, delivered and encoded, so nobody changes it from here on.
        Whoever was handed it by a plugin, which may go on with it, copies it first (`compose` does).
        """
        body = MessageBody(TEXT, self.channel_id, MessageContent(text=message)) if isinstance(message, str) else message
        if isinstance(body.content.path, LocalFile) and self._sent_files is not None:
            # A copy even so: a turn that runs again has to keep the file again, and so has to find its path.
            body = copy_with(body, content=copy_with(body.content, path=self._sent_files.put(body.content.path, self._clock())))
        to = None if recipients is None else frozenset(recipients)
        body.channel_id = self.channel_id
        body.timestamp = int(self._clock() * 1000) if timestamp is None else timestamp
        body.recipients = [] if to is None else sorted(to)
        body.message_id = body.message_id or f"{random.getrandbits(64):016x}"
        if context:
            body.context = {**(body.context or {}), **context}
        self.downs.append(Down(MESSAGE_DOWN, self.channel_id, body, to, cause=self._cause))
        return body

    def update(self, kind: DownKind, body: Any, recipients: Iterable[str] | None = None, *, slot: str = "") -> None:
        """Send an update; its body is all that `slot`, a plugin, shows of the kind, and is taken over as that of a message."""
        to = None if recipients is None else frozenset(recipients)
        self.downs.append(Down(kind.name, self.channel_id, body, to, slot=slot, cause=self._cause))

    def after_commit(self, call: AfterCommit) -> None:
        """Call, and await if it can be awaited, when the commit succeeded and the downs were delivered."""
        self.after.append(call)
