"""The words that go up and down: events, their parts, and the items that a channel shows.

Names and fields are those of the Moobius SDK (`moobius.types`, 1.8.0), so that a bot written for it finds them here. Ids are
strings, times are milliseconds since 1970 (UTC), and `recipients` are member ids. Fields that are ours come last and have
defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from mooring.recipients import Everyone
from mooring.rooms import Room

T = TypeVar("T")

TEXT = "text"
IMAGE = "image"
AUDIO = "audio"
FILE = "file"
CARD = "card"
CUSTOM = "custom"
TABLE = "table"
PROGRESS = "progress"

DROPDOWN = "dropdown"
NUMBER = "number"
PASSWORD = "password"  # noqa: S105 - a kind of input field
TEXTBOX = "textbox"

UpType = Literal["message_up", "join", "leave", "button_click", "menu_item_click", "refresh"]


@dataclass
class InputComponent:
    """One field of a dialog. `type` is text, textbox, number, password or dropdown; `choices` serve a dropdown."""

    label: str
    type: str
    required: bool | None = False
    placeholder: str | None = None
    choices: list[str] | None = None


@dataclass
class BottomButton:
    """A button at the foot of a dialog; `submit` tells whether it sends the dialog or only closes it."""

    id: str
    text: str
    submit: bool


@dataclass
class Dialog:
    """What a button or a menu item opens before it is sent."""

    title: str = "Dialog"
    components: list[InputComponent] | None = None
    bottom_buttons: list[BottomButton] | None = None


@dataclass
class Button:
    """A shortcut above the composer."""

    button_id: str
    button_text: str
    dialog: Dialog | None = None


@dataclass
class ClickArgument:
    """What a member entered into the dialog field named `label`."""

    label: str
    value: str
    filename: str | None = None


@dataclass
class ButtonClick:
    """A member used a button."""

    button_id: str
    channel_id: str
    sender: str
    arguments: list[ClickArgument] | None = None
    subtype: str | None = "button_click"
    labels: list[str] | None = None
    bottom_button_id: str | None = None
    context: dict[str, Any] | None = None
    button_type: str | None = None


@dataclass
class SimpleAction:
    """A member joins, leaves or asks for a refresh, as `subtype` tells."""

    subtype: str
    channel_id: str
    sender: str
    context: dict[str, Any] | None = None


OWN = "own"
"""Stands in the place of a subtype for the messages of whoever looks."""


@dataclass
class MenuItem:
    """An entry in the menu of messages; shown on messages of the named subtypes, and for `own` on what whoever looks has said."""

    menu_item_id: str
    menu_item_text: str
    message_subtypes: str | list[str]
    dialog: Dialog | None = None


@dataclass
class MessageContent:
    """The content of a message; which fields count depends on the message's subtype. `size` is in bytes."""

    text: str | None = None
    path: str | None = None
    size: int | None = None
    filename: str | None = None
    link: str | None = None
    title: str | None = None
    button: str | None = None


@dataclass
class MenuItemClick:
    """A member used a menu item on a message, of which the content comes along."""

    menu_item_id: str
    message_subtype: str
    message_content: MessageContent
    channel_id: str
    sender: str
    message_id: str | None = None
    arguments: list[ClickArgument] | None = None
    bottom_button_id: str | None = None
    context: dict[str, Any] | None = None
    subtype: str | None = "menu_item_click"


@dataclass
class CanvasItem:
    """One element of the canvas.

    `bars` is ours: each has `name`, `label`, `value`, `maximum`, and optionally `colour` (`#rrggbb`) and `regain_per_minute`, the
    points by which it fills up by itself: no update tells of them.
    """

    text: str | None = None
    path: str | None = None
    bars: list[dict[str, Any]] | None = None


@dataclass
class MessageBody:
    """A message, up or down.

    Made without `recipients` it is for everybody; an empty list is nobody.

    `context` carries what the SDK has no field for: `error` (true for a line that says what went wrong), `command` (the line
    that is answered), `table` (`columns`, `rows`) and `progress` (`done`, `total`, `label`). A message that goes down with
    the `message_id` of an earlier one takes its place.
    """

    subtype: str
    channel_id: str
    content: MessageContent
    timestamp: int = 0
    recipients: Sequence[str] = field(default_factory=Everyone)
    sender: str = ""
    message_id: str | None = None
    context: dict[str, Any] | None = None


@dataclass
class ChannelInfo:
    """What a channel is called and what it is for."""

    channel_id: str
    channel_name: str
    channel_description: str
    channel_type: str = "ccs"


@dataclass
class Character:
    """A member, or a character that no person plays.

    `character_context` is where ours goes: `role`, `online` (bool), `bars` (as in CanvasItem), `agent` (bool), and `channel` (true for
    an entry that stands for the channel itself and shows its bar).
    """

    character_id: str
    name: str
    avatar: str | None = None
    description: str | None = None
    character_context: dict[str, Any] | None = None


@dataclass
class CharacterChanges:
    """What changed in the list of characters: those to put in or in the place of what was shown of them, and ids to take out."""

    channel_id: str
    changed: list[Character]
    removed: list[str]

    @classmethod
    def merged(cls, changes: Sequence[CharacterChanges]) -> CharacterChanges:
        """One that says the same as several, of one channel and in their order."""
        entries: dict[str, Character | None] = {}
        for each in changes:
            entries.update((character.character_id, character) for character in each.changed)
            entries.update(dict.fromkeys(each.removed))
        changed = [entry for entry in entries.values() if entry is not None]
        return cls(changes[0].channel_id, changed, [key for key, entry in entries.items() if entry is None])


@dataclass
class CharacterCount:
    """How long the whole list of characters is, of which only the first are shown unasked; entries of the channel itself do not count.

    `online` is how many of them are here, None if the service shows a list of its own.
    """

    channel_id: str
    total: int
    online: int | None = None


@dataclass
class StyleItem:
    """Whether a widget is `invisible`, `visible` or `highlight`."""

    widget: str
    display: str
    expand: bool | None = None
    button_id: str | None = None
    text: str | None = None


UpBody = MessageBody | ButtonClick | MenuItemClick | SimpleAction


@dataclass(frozen=True)
class UpEvent:
    """One thing that a member does, as a gateway hands it to the service.

    `request_id` is made by the client and is unique for this member: the same id again is the same event.
    """

    type: UpType
    request_id: str
    channel_id: str
    member_id: str
    body: UpBody
    reference: str = ""
    """What the network calls this event, if that is not the `request_id`; it comes back in the `cause` of what is sent in answer."""
    room: Room | None = None
    """Where it happened, if that was a room to which the channel is bound."""
    mark: str = ""
    """Up to where the room has been read with this event, in the words of its network; kept in the commit of the event."""

    @property
    def cause(self) -> Cause:
        """What downs name when this event caused them."""
        return Cause(self.request_id, self.member_id, self.reference)


@dataclass(frozen=True)
class Cause:
    """The event that caused a down, so that a reply finds its question on any network."""

    request_id: str
    member_id: str
    reference: str = ""
    """What the event's network calls it, where it has a name of its own for it."""


@dataclass(frozen=True)
class Down:
    """One thing that the channel shows, committed and on its way.

    `number` counts a channel's down messages without a gap from 1; updates (all but `message_down`) show a state that the
    next one replaces, are not numbered (0) and not kept. `recipients` None means all members of the channel, whom nobody counts up.
    """

    type: str
    """The name of a kind; `mooring.kinds` has them all."""
    channel_id: str
    body: Any
    recipients: frozenset[str] | None = None
    number: int = 0
    slot: str = ""
    """The plugin that set this part of the screen; empty for the service itself, and for what is drawn together of all parts."""
    cause: Cause | None = None
    """None for what no member's event caused: timers, work of the service."""
    besides: frozenset[str] = frozenset()
    """Of `recipients` None, members whom it does not concern: they are shown something of their own."""


@dataclass(frozen=True)
class Acknowledgement:
    """The service's word on one up event, given after its commit.

    `ok` false means that nothing was changed, and `message` says why in words for the member. `repeated` marks the answer to
    an event that had been handled before.
    """

    request_id: str
    ok: bool = True
    message: str = ""
    repeated: bool = False
    is_final: bool = True
    """False if storage was unavailable: the same event sent again is a new try."""


def copy_with(item: T, **changes: Any) -> T:
    """`dataclasses.replace` for a dataclass without slots and `__post_init__`.

    It copies the fields as they are instead of going through `__init__` by reflection, which takes ten times as long; every
    event needs several such copies.
    """
    copy = object.__new__(type(item))
    copy.__dict__.update(item.__dict__, **changes)
    return copy
