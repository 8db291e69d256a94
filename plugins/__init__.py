"""What the author of a plugin imports.

A plugin is a module: functions with `@command` are its commands, functions named like an event (`on_join`, ...) its hooks,
`Config` its settings, `BARS` its bars.
"""

from plugins._arguments import ChoicesFrom, Rest
from plugins._background import Background
from plugins._bar import Bar, Change
from plugins._bar_spec import BarSpec
from plugins._clock import now
from plugins._commands import command
from plugins._context import Context
from plugins._errors import CommandError, PluginError
from plugins._events import (
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
from plugins._host import Service
from plugins._people import Channel, Member
from plugins._progress import Progress
from plugins._replies import card, table
from plugins._rules import at_most, cooldown, requires
from plugins._schedule import every
from plugins._values import Values

__all__ = [
    "Background",
    "Bar",
    "BarSpec",
    "BottomButton",
    "Button",
    "ButtonClick",
    "CanvasItem",
    "Change",
    "Channel",
    "ChannelInfo",
    "Character",
    "ChoicesFrom",
    "ClickArgument",
    "CommandError",
    "Context",
    "Dialog",
    "InputComponent",
    "Member",
    "MenuItem",
    "MenuItemClick",
    "MessageBody",
    "MessageContent",
    "PluginError",
    "Progress",
    "Rest",
    "Service",
    "SimpleAction",
    "StyleItem",
    "Values",
    "at_most",
    "card",
    "command",
    "cooldown",
    "every",
    "now",
    "requires",
    "table",
]
