"""Answers that do not come from a handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mooring.channels.turn import Turn
from mooring.events import Acknowledgement, MessageBody, UpEvent
from mooring.text import clip
from storage.errors import CommitFailed, VersionConflict

UNAVAILABLE = "Storage is unavailable at the moment; nothing was changed. Try again."
NOT_A_MEMBER = "Join the channel first."
_LONGEST_COMMAND = 200
BUSY = "Too much is going on in this channel at once; nothing was changed. Try again."


class Answered(Exception):
    """The event has its answer without any handler."""

    def __init__(self, answer: Acknowledgement) -> None:
        self.answer = answer
        super().__init__(answer.message)


def error_text(error: CommitFailed) -> str:
    """What a member is told about a commit that failed."""
    return BUSY if isinstance(error, VersionConflict) else UNAVAILABLE


def refusal(event: UpEvent, answer: Acknowledgement) -> Callable[[Turn], Awaitable[None]]:
    """What runs in the turn in which a refusal is kept and told."""

    async def say(turn: Turn) -> None:
        if event.member_id in turn.members:
            turn.sends.message(answer.message, [event.member_id], context={"error": True, **_asked(event)})

    return say


def _asked(event: UpEvent) -> dict[str, str]:
    """The command that was refused, so that a member who typed several knows which. Not as `command`, which an answer to all has."""
    text = (event.body.content.text or "") if isinstance(event.body, MessageBody) else ""
    return {"refused": clip(text, _LONGEST_COMMAND)} if text.startswith("/") and not text.startswith("//") else {}
