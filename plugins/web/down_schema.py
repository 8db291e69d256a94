"""The bodies of frames that go down.

They lack what is nobody's business (who else got a private message). `docs/protocol.md` is generated from this module, the one for what
comes up, and the framework's kinds of downs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, defstruct

from mooring import DOWN_KINDS, MESSAGE_DOWN, Character, DownKind, Formatted, MessageContent


class ChannelEntry(Struct):
    """A channel that the service has. Of all commands it knows those of its `plugins`."""

    channel_id: str
    channel_name: str
    channel_description: str
    joined: bool
    open: bool
    plugins: list[str]


class Welcome(Struct):
    """Answers `hello`: who you are, what is there, and the commands for completion. Keep `token`; it is the proof of who you are.

    It comes again, without a request, when you are called otherwise: a name that the operator gives to somebody is theirs before any guest's.
    """

    member_id: str
    name: str
    token: str
    guest: bool
    """Whether you picked the name, and can trade in a token from the operator."""
    channels: list[ChannelEntry]
    commands: list[dict[str, Any]]


class ChannelList(Struct):
    """The channels that there are now: some came or went, or are called otherwise. What is not in the list is gone."""

    channels: list[ChannelEntry]


class Ack(Struct):
    """Answers an event frame after the commit. If not `ok`, nothing was changed and `message` says why."""

    ok: bool
    message: str = ""
    repeated: bool = False


ErrorCode = Literal[
    "malformed",
    "unknown_type",
    "not_text",
    "too_large",
    "too_fast",
    "hello_first",
    "no_hello",
    "idle",
    "bad_name",
    "name_taken",
    "bad_token",
    "revoked",
    "forbidden",
    "unknown_channel",
    "channel_full",
    "not_joined",
    "busy",
    "stopping",
    "outcome_not_known",
    "unencodable",
]


class Problem(Struct):
    """A frame was not taken, or its answer cannot be shown (`unencodable`). With `retry`, sending it again later, with the same id, may succeed."""

    code: ErrorCode
    message: str
    retry: bool = False


class Pong(Struct):
    """Answers `ping`."""


class MessageDown(Struct, omit_defaults=True):
    """A message. `number` counts up within the channel; 0 marks one that is not kept, such as progress on its way.

    A message with the `message_id` of an earlier one takes its place. `private` means that it is for you alone.

    `asked_by` is the name of who gave the command that the message answers. `formatted` is what the Markdown of the text says; without it, the
    text is lines of words. If `is_long`, it is the beginning alone.
    """

    channel_id: str
    number: int
    message_id: str
    subtype: str
    sender: str
    timestamp: int
    content: MessageContent
    sender_name: str = ""
    private: bool = False
    context: dict[str, Any] | None = None
    asked_by: str = ""
    formatted: tuple[Formatted, ...] | None = None
    is_long: bool = False


class CanvasPiece(Struct, omit_defaults=True):
    """One element of the canvas. Of `text`, `formatted` is what its Markdown says.

    `bars` is ours: each has `name`, `label`, `value`, `maximum`, and optionally `colour` (`#rrggbb`) and `regain_per_minute`, the
    points by which it fills up by itself: no update tells of them.
    """

    text: str | None = None
    path: str | None = None
    bars: list[dict[str, Any]] | None = None
    formatted: tuple[Formatted, ...] | None = None


class HistoryDown(Struct):
    """Numbered messages, oldest first.

    `mode` is `latest` (forget what you have: these are the newest), `missed` (those since `after`) or `older`. `more` tells
    whether there are older ones than the first.
    """

    channel_id: str
    mode: Literal["latest", "missed", "older"]
    messages: list[MessageDown]
    more: bool
    last: int


class CharacterPageDown(Struct):
    """Answers `character_page`. `following` asks for the next page; at the end it is empty."""

    channel_id: str
    items: list[Character]
    following: str


REPLIES: Mapping[str, type[Any]] = {
    "welcome": Welcome,
    "channels": ChannelList,
    "ack": Ack,
    "error": Problem,
    "pong": Pong,
    "history": HistoryDown,
    "character_page": CharacterPageDown,
}
"""Frames of this gateway's own; all others that go down are made from the framework's kinds of downs."""


CANVAS = "canvas"
"""The kind of down whose items are shown as `CanvasPiece`s."""


class ListDown(Struct):
    """The body of every frame that shows a list."""

    channel_id: str
    items: list[Any]


def down_frames() -> dict[str, type[Any]]:
    """The class of each frame that goes down, by type."""
    return {**REPLIES, **{name: _frame_of(kind) for name, kind in DOWN_KINDS.items()}}


def _frame_of(kind: DownKind) -> type[Any]:
    if kind.name == MESSAGE_DOWN:
        return MessageDown
    if kind.is_list:
        body = list[CanvasPiece] if kind.name == CANVAS else kind.body
        # Only the documentation and tests need the precise class; what is sent is a ListDown.
        return defstruct(kind.name, [("channel_id", str), ("items", body)], namespace={"__doc__": kind.explanation})
    whole: type[Any] = kind.body
    return whole
