"""What a network is asked to send to its rooms, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mooring.events import MessageBody

TextUnit = Literal["letters", "utf-16", "bytes"]
"""In what a network counts how long a text is: Python's letters, units of UTF-16, or bytes of UTF-8."""


@dataclass(frozen=True)
class Abilities:
    """What a network can do in a room. What is not said, it cannot."""

    once_by_key: float = 0.0
    """For how many seconds the network knows a key again, and takes what is sent with the same key for the same message; `math.inf` for ever."""
    find: bool = False
    """Whether `find` can tell if a message is there."""
    edit: bool = False
    """Whether a message can be changed. Where it cannot, an edit comes as a new message that answers the old one."""
    delete: bool = False
    private: bool = False
    """Whether a message can be for some of the room's members alone. Where it cannot, such messages are refused, and never shown to all."""
    longest_text: int = 0
    """How much text one message can have; 0 if there is no bound. What is longer comes as several messages."""
    text_unit: TextUnit = "letters"
    """What `longest_text` counts."""


@dataclass(frozen=True)
class Post:
    """One thing to do in a room."""

    kind: Literal["message", "edit", "delete"]
    body: MessageBody
    """What is said, as the channel has it; in a `delete`, what is deleted has nothing in it any more."""
    sender: str = ""
    """The name of who says it; empty for the service itself."""
    earlier: str = ""
    """Of an `edit` or `delete`: what the network calls the message that it is about."""
    reply_to: str = ""
    """What the network calls the message that this one answers; empty if there is none in this room."""
    users: frozenset[str] | None = None
    """The only users of the network who may see it; None for everybody in the room."""
    text: str = ""
    """What is said as text that fits into one message here: tables, cards and files as well, with nothing in it that calls everybody in the room.
    It is Markdown where the bot or member wrote some."""


@dataclass(frozen=True)
class Sent:
    """It is there; `id` is what the network calls it, kept so that the message can be edited, deleted and answered."""

    id: str = ""


@dataclass(frozen=True)
class Later:
    """It was certainly not taken, and can be sent again after so many seconds; with 0 that is for the framework to choose."""

    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Refused:
    """It was not taken, and never will be. It is passed over, logged and counted."""

    reason: str


@dataclass(frozen=True)
class Unsure:
    """It may have been taken: the answer did not come, or was not understood."""

    reason: str = ""
    seconds: float = 0.0
    """For how long the network wants to be left alone, if it said so."""


Answer = Sent | Later | Refused | Unsure
"""What a network says to a post."""
