"""The bodies of frames that come up.

Clients are not trusted: what comes up has classes of its own, which lack everything that a client has no say in (who the
sender is, above all), and every string and list has a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mooring import (
    CONTENT_LIMITS,
    ButtonClick,
    ClickArgument,
    MenuItemClick,
    MessageBody,
    MessageContent,
    SimpleAction,
    UpBody,
)

RequestId = Annotated[
    str, Meta(min_length=1, max_length=64, description="Made by the client, unique for this member; the same id again is the same event.")
]
ChannelId = Annotated[str, Meta(min_length=1, max_length=CONTENT_LIMITS.identifier)]
Identifier = Annotated[str, Meta(min_length=1, max_length=CONTENT_LIMITS.identifier)]
Text = Annotated[str, Meta(max_length=CONTENT_LIMITS.text)]
Number = Annotated[int, Meta(ge=0, le=2**53)]


class Hello(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """The first frame. A first visit gives a `name` and gets a token; a later one gives that `token`.

    A guest who gives a `name` beside the token is called so from now on, and gets another token.

    A guest who was given a token by the operator comes with it and, as `guest`, with the one that they have had as a guest: they stay the
    member that they are, with all that is theirs, and are what the given token makes them. The guest's own token is no good after that.
    """

    name: Annotated[str, Meta(max_length=200)] | None = None
    token: Annotated[str, Meta(max_length=4_000)] | None = None
    guest: Annotated[str, Meta(max_length=4_000)] | None = None


class EventUp(Struct, forbid_unknown_fields=True):
    """What all frames have that are events of a channel."""

    channel_id: ChannelId

    def to_body(self, member_id: str) -> UpBody:
        """What the event says, as plugins see it."""
        raise NotImplementedError


class Join(EventUp, omit_defaults=True):
    """Come into a channel, or come back to it: `after` is the number of the last message seen."""

    after: Number | None = None

    def to_body(self, member_id: str) -> SimpleAction:
        return SimpleAction("join", self.channel_id, member_id)


class Leave(EventUp):
    """Give up the membership of a channel."""

    def to_body(self, member_id: str) -> SimpleAction:
        return SimpleAction("leave", self.channel_id, member_id)


class Refresh(EventUp):
    """Ask for the channel's state to be drawn again."""

    def to_body(self, member_id: str) -> SimpleAction:
        return SimpleAction("refresh", self.channel_id, member_id)


class ContentUp(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What a member can put into a message."""

    text: Text | None = None
    link: Annotated[str, Meta(max_length=CONTENT_LIMITS.link)] | None = None
    title: Annotated[str, Meta(max_length=CONTENT_LIMITS.title)] | None = None
    path: Annotated[str, Meta(max_length=CONTENT_LIMITS.path)] | None = None
    filename: Annotated[str, Meta(max_length=CONTENT_LIMITS.filename)] | None = None
    size: Number | None = None
    button: Annotated[str, Meta(max_length=CONTENT_LIMITS.button)] | None = None

    def to_content(self) -> MessageContent:
        """The same as plugins see it."""
        return MessageContent(self.text, self.path, self.size, self.filename, self.link, self.title, self.button)


class MessageUp(EventUp, omit_defaults=True):
    """Say something, or give a command: a text that begins with `/`."""

    content: ContentUp
    subtype: Literal["text"] = "text"
    recipients: Annotated[list[Identifier], Meta(max_length=CONTENT_LIMITS.recipients)] = []

    def to_body(self, member_id: str) -> MessageBody:
        return MessageBody(self.subtype, self.channel_id, self.content.to_content(), recipients=self.recipients, sender=member_id)


class ArgumentUp(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What was entered into the dialog field named `label`."""

    label: Annotated[str, Meta(max_length=CONTENT_LIMITS.label)]
    value: Text

    def to_argument(self) -> ClickArgument:
        """The same as plugins see it."""
        return ClickArgument(self.label, self.value)


class ButtonUp(EventUp, omit_defaults=True):
    """Use a button."""

    button_id: Identifier
    arguments: Annotated[list[ArgumentUp], Meta(max_length=CONTENT_LIMITS.arguments)] = []
    bottom_button_id: Identifier | None = None

    def to_body(self, member_id: str) -> ButtonClick:
        arguments = [argument.to_argument() for argument in self.arguments]
        return ButtonClick(self.button_id, self.channel_id, member_id, arguments, bottom_button_id=self.bottom_button_id)


class MenuUp(EventUp, omit_defaults=True):
    """Use a menu item on a message."""

    menu_item_id: Identifier
    message_id: Identifier
    message_subtype: Identifier
    message_content: ContentUp
    arguments: Annotated[list[ArgumentUp], Meta(max_length=CONTENT_LIMITS.arguments)] = []
    bottom_button_id: Identifier | None = None

    def to_body(self, member_id: str) -> MenuItemClick:
        return MenuItemClick(
            self.menu_item_id,
            self.message_subtype,
            self.message_content.to_content(),
            self.channel_id,
            member_id,
            message_id=self.message_id,
            arguments=[argument.to_argument() for argument in self.arguments],
            bottom_button_id=self.bottom_button_id,
        )


class HistoryUp(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Ask for the messages before a number."""

    channel_id: ChannelId
    before: Number
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class CharacterPageUp(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """Ask for more of the list of characters, in the order of their names.

    `prefix` is how their names begin, in any case. `after` is empty at first, and then the `following` of the page before.
    """

    channel_id: ChannelId
    prefix: Annotated[str, Meta(max_length=CONTENT_LIMITS.identifier)] = ""
    after: Annotated[str, Meta(max_length=4_000)] = ""
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Ping(Struct, forbid_unknown_fields=True):
    """Show that somebody is here; answered by `pong`."""


UpFrameBody = Hello | EventUp | HistoryUp | CharacterPageUp | Ping

UP: Mapping[str, type[Any]] = {
    "hello": Hello,
    "join": Join,
    "leave": Leave,
    "refresh": Refresh,
    "message_up": MessageUp,
    "button_click": ButtonUp,
    "menu_item_click": MenuUp,
    "history": HistoryUp,
    "character_page": CharacterPageUp,
    "ping": Ping,
}
