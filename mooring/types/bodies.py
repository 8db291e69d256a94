"""The dataclasses of the Moobius SDK that have no part in events here, and the names under which all of its classes are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mooring.events import (
    BottomButton,
    Button,
    ButtonClick,
    CanvasItem,
    ChannelInfo,
    Character,
    ClickArgument,
    Dialog,
    InputComponent,
    MenuItem,
    MenuItemClick,
    MessageBody,
    MessageContent,
    SimpleAction,
    StyleItem,
)
from storage import register


@dataclass
class Group:
    """Characters under one id."""

    group_id: str
    character_ids: list[str]


@dataclass
class View:
    """Which characters, buttons and canvas belong together; the SDK itself does not use it."""

    character_ids: list[str]
    button_ids: list[str]
    canvas_id: str


@dataclass
class CopyBody:
    """The platform's receipt for something that was sent. There is no platform here that would send one."""

    request_id: str
    origin_type: str
    status: bool
    context: dict[str, Any] | None = None


@dataclass
class Payload:
    """What goes over the platform's socket; `body` depends on `type`."""

    type: str
    request_id: str | None
    user_id: str | None
    body: Any


@dataclass
class UserInfo:
    """An account of the platform."""

    avatar: str
    description: str
    name: str
    email: str
    email_verified: str
    user_id: str
    system_context: dict[str, Any] | None = None


@dataclass
class UpdateItem:
    """One item of an update; the field of its kind is set, the others are None."""

    character: Character | None
    button: Button | None
    channel_info: ChannelInfo | None
    menu_item: MenuItem | None
    canvas_item: CanvasItem | None
    style_item: StyleItem | None


@dataclass
class UpdateBody:
    """An update as a member gets it."""

    subtype: str
    channel_id: str
    content: list[UpdateItem]
    recipients: list[str]
    group_id: str | None = None
    context: dict[str, Any] | None = None


KEPT_CLASSES: tuple[type, ...] = (
    BottomButton,
    Button,
    ButtonClick,
    CanvasItem,
    ChannelInfo,
    Character,
    ClickArgument,
    CopyBody,
    Dialog,
    Group,
    InputComponent,
    MenuItem,
    MenuItemClick,
    MessageBody,
    MessageContent,
    Payload,
    SimpleAction,
    StyleItem,
    UpdateBody,
    UpdateItem,
    UserInfo,
    View,
)
"""The dataclasses of the SDK, by the same names."""

for _each in KEPT_CLASSES:
    register(_each, name=f"mooring.{_each.__name__}", formerly=[f"moobius.types.{_each.__name__}"])
