"""Messages that were sent: found by their handles, edited and deleted, now and later."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from mooring.bots.messages import Message, compose
from mooring.channels.turn import Turn
from mooring.errors import CommandError
from mooring.events import TEXT, Down, MessageBody, MessageContent, copy_with
from mooring.kinds import MESSAGE_DOWN


@dataclass(frozen=True)
class MessageHandle:
    """What `reply` and `tell` return. `id` is a text that a plugin may keep in its dicts, to find the message again later."""

    id: str


class SentMessages:
    """`ctx.messages`: the messages of the channel that its history still has, those of this event included."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def get(self, message: MessageHandle | str) -> MessageBody | None:
        """A copy of a message as it is now, by its handle or id; None if it is not there, or not there any more."""
        down = self._find(_id(message))
        return None if down is None else copy_with(down.body, content=copy_with(down.body.content))

    def numbered(self, number: int) -> MessageHandle | None:
        """The message with this number, as clients know it; None if it is not there, or not there any more."""
        down = self._turn.history.numbered(number)
        return None if down is None else MessageHandle(down.body.message_id or "")

    def newest_of(self, member_id: str, count: int = 1) -> list[MessageHandle]:
        """The last messages of a member that are not deleted, the newest first, those that are for others alone included."""
        found = (down.body for down in self._turn.history.newest_of(member_id) if not (down.body.context or {}).get("deleted"))
        return [MessageHandle(body.message_id or "") for body in islice(found, count)]

    def edit(self, message: MessageHandle | str, new: Message) -> None:
        """Put something else in the place of a message, for the same members.

        It stays where it is among the messages, also for those who come later. Raises CommandError if it is not there any more.
        """
        before = self._before(message)
        body = compose(new)
        now = int(self._turn.clock() * 1000)
        body = copy_with(body, sender=before.body.sender, message_id=before.body.message_id, context={**(body.context or {}), "edited": now})
        self._turn.sends.message(body, before.recipients, timestamp=before.body.timestamp)

    def delete(self, message: MessageHandle | str) -> None:
        """Take a message out of the screens and the history; only that there was one stays. Raises CommandError if it is gone."""
        before = self._before(message)
        body = MessageBody(TEXT, "", MessageContent(), sender=before.body.sender, message_id=before.body.message_id, context={"deleted": True})
        self._turn.sends.message(body, before.recipients, timestamp=before.body.timestamp)

    def _before(self, message: MessageHandle | str) -> Down:
        down = self._find(_id(message))
        if down is None:
            raise CommandError("That message is not there any more.")
        return down

    def _find(self, message_id: str) -> Down | None:
        sent = (down for down in reversed(self._turn.sends.downs) if down.type == MESSAGE_DOWN and down.body.message_id == message_id)
        return next(sent, None) or self._turn.history.sent(message_id)


def _id(message: MessageHandle | str) -> str:
    return message.id if isinstance(message, MessageHandle) else message
