"""Mooring's public names: what the author of a bot, of a gateway or of a service imports.

A plugin is a module: functions with `@command` are its commands, functions named like an event (`on_join`, ...) its hooks,
`Config` its settings, `BARS` its bars. A gateway implements `Gateway`, hands in `UpEvent`s and gets `Down`s. A service is a
subclass of `ChannelService`; bots written for the Moobius SDK subclass `Moobius`, which has the rest of what that SDK offers.
"""

from mooring import types
from mooring.bars.bar import Bar, Change
from mooring.bars.spec import BarSpec
from mooring.bots.calling import run_confirmed
from mooring.bots.context import Background, Context, Service
from mooring.bots.membership import address_of, ignored_members, remove_member, set_ignored, set_role, take_role
from mooring.bots.messages import card, table
from mooring.bots.progress import Progress
from mooring.bots.schedule import ScheduledCall, every
from mooring.bots.schemas import Values
from mooring.bots.sent_messages import MessageHandle, SentMessages
from mooring.bots.stores import Store
from mooring.channel_messages import ChannelMessage
from mooring.channels.gauges import Reading, Readings
from mooring.channels.measures import EventCounter, EventHistogram
from mooring.channels.system_dicts import ServiceDicts, SystemDict, shared_entry
from mooring.cli.command import CliContext, cli_command
from mooring.cli.entry import run_command_line
from mooring.clock import now
from mooring.commands.arguments import ChoicesFrom, Rest
from mooring.commands.command import Command, command
from mooring.commands.people import Channel, Member
from mooring.commands.rules import at_most, cooldown, requires
from mooring.config_paths import ConfigPath
from mooring.durations import format_duration, parse_duration
from mooring.errors import CommandError, PluginError
from mooring.events import (
    Acknowledgement,
    BottomButton,
    Button,
    ButtonClick,
    CanvasItem,
    Cause,
    ChannelInfo,
    Character,
    CharacterChanges,
    CharacterCount,
    ClickArgument,
    Dialog,
    Down,
    InputComponent,
    MenuItem,
    MenuItemClick,
    MessageBody,
    MessageContent,
    SimpleAction,
    StyleItem,
    UpBody,
    UpEvent,
    UpType,
)
from mooring.gateways.admission import Admission, AdmissionRefused, Applicant
from mooring.gateways.arrivals import Arrival, Arrivals, Clicked, Left, Said
from mooring.gateways.catch_up import HistoryPage, missed_messages, older_messages
from mooring.gateways.content_limits import CONTENT_LIMITS, ContentLimits
from mooring.gateways.throttle import Throttle
from mooring.gateways.token_bucket import TokenBucket
from mooring.kinds import CHARACTER_KINDS, DOWN_KINDS, MESSAGE_DOWN, DownKind
from mooring.markdown import LONGEST_MARKDOWN, Formatted, read_markdown
from mooring.names import NameIndex, NameRefused, clean_name
from mooring.posts import Abilities, Answer, Later, Post, Refused, Sent, Unsure
from mooring.protocols import (
    ChannelBusy,
    CharacterPage,
    Gateway,
    MemberChanges,
    NetworkGateway,
    OutcomeNotKnown,
    ServiceError,
    ServiceStopping,
    UnknownChannel,
)
from mooring.roles import ROLES, Role
from mooring.rooms import Room, network_member_id
from mooring.sdk import json_utils
from mooring.sdk.downloads import DownloadFailed
from mooring.sdk.moobius import Moobius
from mooring.sdk.surface import NotSupported
from mooring.sdk.wand import MoobiusWand
from mooring.secrets import SecretFound, Secrets
from mooring.service.service import ChannelService
from mooring.text import clip, suggestion
from storage import MoobiusStorage

__all__ = [
    "CHARACTER_KINDS",
    "CONTENT_LIMITS",
    "DOWN_KINDS",
    "LONGEST_MARKDOWN",
    "MESSAGE_DOWN",
    "ROLES",
    "Abilities",
    "Acknowledgement",
    "Admission",
    "AdmissionRefused",
    "Answer",
    "Applicant",
    "Arrival",
    "Arrivals",
    "Background",
    "Bar",
    "BarSpec",
    "BottomButton",
    "Button",
    "ButtonClick",
    "CanvasItem",
    "Cause",
    "Change",
    "Channel",
    "ChannelBusy",
    "ChannelInfo",
    "ChannelMessage",
    "ChannelService",
    "Character",
    "CharacterChanges",
    "CharacterCount",
    "CharacterPage",
    "ChoicesFrom",
    "CliContext",
    "ClickArgument",
    "Clicked",
    "Command",
    "CommandError",
    "ConfigPath",
    "ContentLimits",
    "Context",
    "Dialog",
    "Down",
    "DownKind",
    "DownloadFailed",
    "EventCounter",
    "EventHistogram",
    "Formatted",
    "Gateway",
    "HistoryPage",
    "InputComponent",
    "Later",
    "Left",
    "Member",
    "MemberChanges",
    "MenuItem",
    "MenuItemClick",
    "MessageBody",
    "MessageContent",
    "MessageHandle",
    "Moobius",
    "MoobiusStorage",
    "MoobiusWand",
    "NameIndex",
    "NameRefused",
    "NetworkGateway",
    "NotSupported",
    "OutcomeNotKnown",
    "PluginError",
    "Post",
    "Progress",
    "Reading",
    "Readings",
    "Refused",
    "Rest",
    "Role",
    "Room",
    "Said",
    "ScheduledCall",
    "SecretFound",
    "Secrets",
    "Sent",
    "SentMessages",
    "Service",
    "ServiceDicts",
    "ServiceError",
    "ServiceStopping",
    "SimpleAction",
    "Store",
    "StyleItem",
    "SystemDict",
    "Throttle",
    "TokenBucket",
    "UnknownChannel",
    "Unsure",
    "UpBody",
    "UpEvent",
    "UpType",
    "Values",
    "address_of",
    "at_most",
    "card",
    "clean_name",
    "cli_command",
    "clip",
    "command",
    "cooldown",
    "every",
    "format_duration",
    "ignored_members",
    "json_utils",
    "missed_messages",
    "network_member_id",
    "now",
    "older_messages",
    "parse_duration",
    "read_markdown",
    "remove_member",
    "requires",
    "run_command_line",
    "run_confirmed",
    "set_ignored",
    "set_role",
    "shared_entry",
    "suggestion",
    "table",
    "take_role",
    "types",
]
