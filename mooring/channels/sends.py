"""What one event sends: collected while its handlers run, and let go after its commit."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from mooring.channels.outbox_entries import Parcel
from mooring.channels.sent_files import LocalFile, SentFiles
from mooring.channels.widgets import without_false
from mooring.errors import Unsendable
from mooring.events import TEXT, Cause, Down, MessageBody, MessageContent, copy_with
from mooring.kinds import MESSAGE_DOWN, DownKind

AfterCommit = Callable[[], Awaitable[None] | None]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class SendLimits:
    """What one event may send: so many messages and updates, each of so many bytes as JSON."""

    count: int = 500
    size: int = 500_000


NO_LIMITS = SendLimits(1 << 62, 1 << 62)
"""For what the framework itself says."""


class Mark(NamedTuple):
    """How much had been sent at some moment."""

    downs: int
    after: int
    parcels: int


class Sends:
    """The sends of one event in one channel. Raises Unsendable for what no client could be sent.

    Nothing leaves it by itself: the channel numbers the messages and keeps them in the event's commit, and delivers them after
    it. If the event is rolled back or run again, all of it is dropped. May be used from the handler's thread.
    """

    def __init__(
        self,
        channel_id: str,
        clock: Callable[[], float],
        sent_files: SentFiles | None = None,
        cause: Cause | None = None,
        limits: SendLimits = NO_LIMITS,
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
        self.cause = cause
        """What downs name as their cause."""
        self._limits = limits

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

        The body is taken over: what is returned is kept in the history, delivered and encoded, so nobody changes it from here on.
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
        is_plain = body.context is None
        if context:
            body.context = {**(body.context or {}), **context}
        if isinstance(body.content.text, str) and len(body.content.text) > self._limits.size:
            raise self._too_large(MESSAGE_DOWN, len(body.content.text))  # at once: to encode 40 MB holds up all channels
        encoded = self._encoded(MESSAGE_DOWN, body)
        if not is_plain:
            # What a plugin has put there may change at any time, by that plugin.
            body = _decoded(MESSAGE_DOWN, encoded, MessageBody)
        self.downs.append(Down(MESSAGE_DOWN, self.channel_id, body, to, cause=self.cause))
        return body

    def update(self, kind: DownKind, body: Any, recipients: Iterable[str] | None = None, *, slot: str = "") -> None:
        """Send an update; its body is all that `slot`, a plugin, shows of the kind, as it is now."""
        to = None if recipients is None else frozenset(recipients)
        if to is not None:
            self._encoded(f"recipients of {kind.name}", sorted(to))
        if body is not None:
            body = without_false(body) if kind.item_id else deepcopy(body)  # bots for the SDK find what they sent as they sent it
            _decoded(kind.name, self._encoded(kind.name, body), kind.body)
        self.downs.append(Down(kind.name, self.channel_id, body, to, slot=slot, cause=self.cause))

    def after_commit(self, call: AfterCommit) -> None:
        """Call, and await if it can be awaited, when the commit succeeded and the downs were delivered."""
        self.after.append(call)

    def elsewhere(self, channel_id: str) -> Sends:
        """Sends in another channel, under the same limits; they leave only if somebody takes them there."""
        return Sends(channel_id, self._clock, limits=self._limits)

    def mark(self) -> Mark:
        """How much was sent so far, for `undo_to` and `put_first`."""
        return Mark(len(self.downs), len(self.after), len(self.parcels))

    def undo_to(self, mark: Mark) -> None:
        """Drop what was sent since."""
        del self.downs[mark.downs :]
        del self.after[mark.after :]
        del self.parcels[mark.parcels :]

    def put_first(self, mark: Mark, since: Mark) -> None:
        """Let what was shown since the second mark come before what was shown between the two."""
        late = self.downs[since.downs :]
        del self.downs[since.downs :]
        self.downs[mark.downs : mark.downs] = late

    def _encoded(self, what: str, body: Any) -> bytes:
        limits = self._limits
        if len(self.downs) >= limits.count:
            raise Unsendable(f"one event may send {limits.count} messages and updates, and this is one more; see `replies` in the limits")
        encoded = _encoded(what, body)
        if len(encoded) > limits.size:
            raise self._too_large(what, len(encoded))
        return encoded

    def _too_large(self, what: str, size: int) -> Unsendable:
        return Unsendable(f"a {what} of {size} bytes is more than {self._limits.size}; see `reply_bytes` in the limits")


def checked(what: str, body: Any, kind: Any) -> Any:
    """A copy of something that is to be shown to members, which nobody else changes. Raises Unsendable."""
    return _decoded(what, _encoded(what, body), kind)


def _encoded(what: str, body: Any) -> bytes:
    try:
        return _encode(body)
    except Exception as error:
        raise Unsendable(f"a {what} holds what cannot be sent: {error}") from error


def _decoded(what: str, encoded: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(encoded, type=kind)
    except msgspec.ValidationError as error:
        raise Unsendable(f"a {what} is not made as it must be: {error}") from error
