"""`types` of the Moobius SDK: its words, and the classes of events and items, for bots that say `types.CANVAS` or `types.Button`.

The words for logging in and for copies have no meaning here and are left out.
"""

from mooring.bots.messages import IMAGE_EXTENSIONS, SOUND_EXTENSIONS
from mooring.events import (
    AUDIO,
    CARD,
    CUSTOM,
    DROPDOWN,
    FILE,
    IMAGE,
    NUMBER,
    PASSWORD,
    PROGRESS,
    TABLE,
    TEXT,
    TEXTBOX,
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

BUTTON = "button"
CANVAS = "canvas"
ALL = "all"
SERVICE = "service"
INVALID = "invalid"

ACTION = "action"
UPDATE = "update"
MESSAGE_UP = "message_up"
MESSAGE_DOWN = "message_down"
BUTTON_CLICK = "button_click"
MENU_ITEM_CLICK = "menu_item_click"
JOIN = "join"
LEAVE_CHANNEL = "leave"
REFRESH = "refresh"
HEARTBEAT = "heartbeat"

FETCH_CHARACTERS = "fetch_characters"
FETCH_BUTTONS = "fetch_buttons"
FETCH_CANVAS = "fetch_canvas"
FETCH_STYLE = "fetch_style"
FETCH_MENU = "fetch_menu"
FETCH_CHANNEL_INFO = "fetch_channel_info"

UPDATE_CHARACTERS = "characters"
UPDATE_CHANNEL_INFO = "channel_info"
UPDATE_CANVAS = "canvas"
UPDATE_BUTTONS = "buttons"
UPDATE_STYLE = "style"
UPDATE_MENU = "menu"

IGNORE = "ignore"
UNBIND = "unbind"
INCLUDE = "include"

IMAGE_EXTS = IMAGE_EXTENSIONS
AUDIO_EXTS = SOUND_EXTENSIONS

__all__ = [
    "ACTION",
    "ALL",
    "AUDIO",
    "AUDIO_EXTS",
    "BUTTON",
    "BUTTON_CLICK",
    "CANVAS",
    "CARD",
    "CUSTOM",
    "DROPDOWN",
    "FETCH_BUTTONS",
    "FETCH_CANVAS",
    "FETCH_CHANNEL_INFO",
    "FETCH_CHARACTERS",
    "FETCH_MENU",
    "FETCH_STYLE",
    "FILE",
    "HEARTBEAT",
    "IGNORE",
    "IMAGE",
    "IMAGE_EXTS",
    "INCLUDE",
    "INVALID",
    "JOIN",
    "LEAVE_CHANNEL",
    "MENU_ITEM_CLICK",
    "MESSAGE_DOWN",
    "MESSAGE_UP",
    "NUMBER",
    "PASSWORD",
    "PROGRESS",
    "REFRESH",
    "SERVICE",
    "TABLE",
    "TEXT",
    "TEXTBOX",
    "UNBIND",
    "UPDATE",
    "UPDATE_BUTTONS",
    "UPDATE_CANVAS",
    "UPDATE_CHANNEL_INFO",
    "UPDATE_CHARACTERS",
    "UPDATE_MENU",
    "UPDATE_STYLE",
    "BottomButton",
    "Button",
    "ButtonClick",
    "CanvasItem",
    "ChannelInfo",
    "Character",
    "ClickArgument",
    "Dialog",
    "InputComponent",
    "MenuItem",
    "MenuItemClick",
    "MessageBody",
    "MessageContent",
    "SimpleAction",
    "StyleItem",
]
