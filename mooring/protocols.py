"""What the framework offers to gateways and plugins, and what it asks of them.

Protocols, so that whoever uses the service, or is used by it, need not import it. They import nothing of the rooms above: what
work gets that runs in a channel is a type parameter, which `mooring.bots.context` fills in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Container, Coroutine, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from typing_extensions import TypeVar

from mooring.events import Acknowledgement, ChannelInfo, Character, Down, UpEvent
from mooring.made_channels import MadeChannel
from mooring.names import NameIndex
from mooring.posts import Abilities, Answer, Later, Post
from mooring.roles import Standing
from mooring.rooms import Room, WhenUnsure
from storage import MoobiusStorage

T = TypeVar("T")
ContextT_co = TypeVar("ContextT_co", covariant=True, default=Any)


class ServiceError(Exception):
    """The service did not take an event. Nothing was changed (but see OutcomeNotKnown), and the text is fit for a member to read."""


class UnknownChannel(ServiceError):
    """There is no such channel here."""

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        super().__init__(f"There is no channel {channel_id!r} here.")


class ChannelBusy(ServiceError):
    """The channel's queue is full, and its sender has as much in it as anybody; the same event may be sent again.

    An event that waits can be turned down so, too, for somebody who has less waiting.
    """

    def __init__(self, channel_id: str, waiting: int) -> None:
        self.channel_id = channel_id
        super().__init__(f"This channel is busy ({waiting} events are waiting). Try again.")


class ServiceStopping(ServiceError):
    """The service is on its way down, or not yet up; the same event may be sent again when it is."""

    def __init__(self) -> None:
        super().__init__("The service is not up at the moment. Try again soon.")


class OutcomeNotKnown(ServiceError):
    """Storage went away before it answered: the event may have happened. The same one sent again is answered as it was, or done then."""

    def __init__(self) -> None:
        super().__init__("Storage went away before it answered, so it is not known whether this was done. It is asked again.")


@dataclass(frozen=True)
class CharacterPage:
    """A part of the list of characters, in the order of their names."""

    characters: list[Character]
    following: str
    """What to ask for the next part with, empty at the end."""


@dataclass(frozen=True)
class MemberChanges:
    """Which members of a channel changed since somebody asked last."""

    number: int
    """What to ask with the next time."""
    member_ids: Collection[str] | None
    """None if it is not known any more, so that any of them may have changed."""


class WouldHang(RuntimeError):
    """The order of a channel was waited for inside of an event, which could wait for ever."""


@runtime_checkable
class Gateway(Protocol):
    """A way in and out for members; `attach` makes it known to the service."""

    @property
    def kinds(self) -> Container[str] | None:
        """The kinds of downs that it passes on, None for all. Others are not handed to it, nor made if no gateway wants them."""

    @property
    def address(self) -> str:
        """Where members find it, as a URL for the operator; empty if it has none."""

    def stop_accepting(self) -> None:
        """From here on nobody comes in and nothing new is submitted; what was submitted is still answered.

        The service calls it first when it stops, before the queues finish; the end of the plugin's `lifespan` closes the gateway after them.
        """

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Pass downs on, in order: committed ones, and those of `show`. Called on the event loop; must neither block nor raise."""


@runtime_checkable
class WatchesChannels(Protocol):
    """What a gateway has besides that shows which channels there are, or keeps something for each."""

    def channels_changed(self) -> None:
        """A channel came or went, or is called otherwise, or other plugins serve it: `channel_ids()` and the rest say how it is now.

        Called on the event loop; must neither block nor raise.
        """


@runtime_checkable
class NetworkGateway(Protocol):
    """A way into rooms of a network, which are no live sessions: what the channel says is kept until the network has it.

    The framework calls `send` for one thing at a time in each room, in their order, and from one process at a time. All is called on
    the event loop. A gateway that members also watch live implements `Gateway` as well.
    """

    network: str
    """What rooms and member ids name it by: small letters, digits, `_` and `-`."""

    @property
    def address(self) -> str:
        """Where people find it, as a URL for the operator; empty if it has none."""

    def stop_accepting(self) -> None:
        """From here on nothing new is submitted. What is being sent may still be finished, until the end of the plugin's `lifespan`."""

    def abilities(self, room: str) -> Abilities:
        """What can be done in the room."""

    async def send(self, room: str, post: Post, key: str) -> Answer:
        """Do one thing in the room, now. `key` is 24 hex digits, the same whenever this very thing is sent, and no other's.

        What raises counts as `Unsure`, and so does what takes longer than a minute. Answer `Later` while there is no connection,
        instead of waiting for one, and call `Service.send_again` when there is.
        """

    async def find(self, room: str, key: str) -> str | Later | None:
        """What the network calls the message that was sent with this key, if it is there; None if it is not.

        Asked only where the abilities say so, after a crash or an `Unsure` answer. It has to look back as far as the key can be.
        """


@runtime_checkable
class TellsProblem(Protocol):
    """What a gateway to rooms has besides that can say what keeps it from its network."""

    @property
    def problem(self) -> str:
        """In words, for the `problems` of `/readyz`; empty if all is well. Asked in any thread."""


class Commands(Protocol):
    """The commands of all loaded plugins, as far as those need to know who do not run them."""

    def describe(self) -> list[dict[str, Any]]:
        """What a client needs for completion, JSON-ready, by name."""

    def name_of(self, line: str) -> str | None:
        """The command that a line runs, None if it is none."""


class Service(Protocol[ContextT_co]):
    """The running service as plugins see it."""

    service_id: str
    config: dict[str, Any]
    """The configs, checked: `config["db_config"]` has an entry for each dict of a channel."""

    @property
    def channels(self) -> Mapping[str, MoobiusStorage]:
        """The storage of each channel."""

    @property
    def commands(self) -> Commands:
        """All commands of all loaded plugins."""

    def channel_info(self, channel_id: str) -> ChannelInfo: ...

    def attach(self, gateway: Gateway | NetworkGateway) -> None: ...

    def detach(self, gateway: Gateway | NetworkGateway) -> None: ...

    def send_again(self, network: str) -> None:
        """Try now what waits for the rooms of a network, which can be reached again. On the event loop."""

    def rooms(self, channel_id: str) -> Sequence[Room]:
        """The rooms that the channel is bound to."""

    def channel_of(self, room: Room) -> str | None:
        """The channel that is bound to a room."""

    def read_mark(self, room: Room) -> str:
        """Up to where a room was read by events that are committed; empty if none was, or it is bound to no channel."""

    async def bind(self, channel_id: str, room: Room, *, when_unsure: WhenUnsure = "skip") -> None:
        """Bind a channel to a room from now on, also after a restart. Raises ValueError if the room is bound to another channel."""

    async def unbind(self, channel_id: str, room: Room) -> None:
        """End that. What was sent before is still delivered. Raises ValueError for a room that the config names."""

    async def create_channel(
        self,
        channel_name: str,
        channel_desc: str = "",
        bind: bool = True,
        *,
        channel_id: str | None = None,
        made_by: str = "",
        role: str | None = None,
        **fields: Any,
    ) -> str:
        """Make a channel, and return its id; without `channel_id` it gets one that nobody has. With `bind=False` it is archived at first.

        `fields` are those of a channel in the config; `made_by` is the member who asked for it, with this `role`, by which the template allows it
        or not. It stays, whatever becomes of the event in hand. Raises CommandError for what cannot be, or is not allowed, and StorageError.
        """

    async def update_channel(self, channel_id: str, channel_name: str | None = None, channel_desc: str | None = None, **fields: Any) -> None:
        """Give a channel that was made at run time another name, description, welcome, ... Raises CommandError, StorageError."""

    async def archive_channel(self, channel_id: str) -> None:
        """Close such a channel, which stays as it is and can be opened again. Raises CommandError, StorageError."""

    async def open_channel(self, channel_id: str) -> None:
        """Open such a channel that was archived, or the newest deleted one of this id. Raises CommandError, StorageError."""

    async def delete_channel(self, channel_id: str) -> None:
        """Take such a channel away; what it kept stays until it is pruned. Raises CommandError, StorageError."""

    async def made_channels(self) -> Sequence[MadeChannel]:
        """The channels that were made at run time, open and archived. Raises StorageError."""

    async def submit(self, event: UpEvent) -> Acknowledgement:
        """Queue the event in its channel and wait until it is handled, committed and delivered.

        Raises ChannelBusy if the channel's queue is full, UnknownChannel if there is no such channel, and ServiceStopping.
        The context of a join's body carries the member's `name`, and `role` if it has one; the gateway answers for both and
        lets no client set them. The same member may join again (another window, a new name).
        """

    def enqueue(self, event: UpEvent) -> asyncio.Future[Acknowledgement]:
        """The same without waiting: what a gateway with many members calls, which then needs no task for each event.

        Events of one channel are handled in the order of these calls; where more than 32 wait, members take turns, and each one's own keep
        their order. The future raises ChannelBusy for one that waited, was not begun, and had to make room. To cancel the future stops nothing.
        """

    async def in_channel(self, channel_id: str, work: Callable[[ContextT_co], Awaitable[T]], *, name: str = "work") -> T:
        """Run `work` in the channel's order, in a transaction; what it sends leaves after the commit."""

    def members(self, channel_id: str) -> Mapping[str, Character]:
        """Everybody who has joined, by id; `character_context["online"]` tells who is here now. To walk over all takes time in a crowd."""

    def agent(self, character_id: str) -> Character | None:
        """The character with this id that no person plays, None if it is none."""

    def history(self, channel_id: str, member_id: str, *, after: int = 0, before: int | None = None, limit: int = 50) -> list[Down]:
        """Numbered downs that this member may see, oldest first: those after `after`, or the last `limit` before `before`."""

    def current(self, channel_id: str, member_id: str) -> list[Down]:
        """The state to draw for a member who comes in: the newest update of each kind; in a crowd only the first of the characters.

        For an empty `member_id`, what all see who are shown nothing of their own.
        """

    def characters(self, channel_id: str, member_id: str, *, prefix: str = "", after: str = "", limit: int = 100) -> CharacterPage:
        """Characters whom a member is shown, by name: those whose names begin with `prefix`, after where an earlier page ended (`following`)."""

    def member_changes(self, channel_id: str, since: int = -1) -> MemberChanges:
        """Who joined, left, changed name or role, came online or went, since a `number` that was given before.

        What a gateway keeps by member follows these, and not what is shown: a service may show whom it likes.
        """

    def present_count(self, channel_id: str) -> int:
        """How many members of a channel are here now."""

    def member_names(self, channel_id: str) -> NameIndex:
        """The names of a channel's members, to be asked which look alike, and not to be changed."""

    def last_number(self, channel_id: str) -> int:
        """The number of the newest kept down of the channel, 0 if there is none."""

    def first_number(self, channel_id: str) -> int:
        """The number of the oldest kept down of the channel, 0 if there is none; older ones are gone for good."""

    def standing(self, channel_id: str, member_id: str) -> Standing | None:
        """How a member came into the channel, None for a stranger."""

    def reserved_names(self) -> Collection[str]:
        """Names that nobody may pick, besides those of the people in charge."""

    def guest_seconds(self) -> float:
        """For how long a guest who stays away is known by name."""

    def access(self, channel_id: str) -> Literal["open", "token"]:
        """Whether whoever picks a name comes into the channel, or only who was given a token."""

    def was_handled(self, channel_id: str, member_id: str, request_id: str) -> bool:
        """Whether an event was handled before, as far as this process has heard."""

    def queue_depth(self, channel_id: str) -> int:
        """How many events wait in the channel's queue."""

    def last_commit(self, channel_id: str) -> float | None:
        """When the channel's newest commit was acknowledged by its engines (seconds since 1970), None if there was none yet."""

    def presence(self, channel_id: str, member_id: str, online: bool, session: Hashable = "") -> None:
        """Tell the channel that a session of a member came or went (not a join or leave): a connection, window or device.

        `session` names it among all gateways; a member is online as long as any is there. Until a gateway tells of one, who has
        joined counts as online.
        """

    def wants_refresh(self, channel_id: str) -> bool:
        """Whether somebody handles it when a member comes back; then a gateway submits a `join` for that, else it need not."""

    def show(self, down: Down) -> None:
        """Deliver one down at once, uncommitted and unnumbered: progress, and nothing else. From any thread."""

    def process_id(self, channel_id: str) -> str:
        """What this process is called in what it keeps of a channel; another one after each start."""

    def unknown_payload(self, payload: dict[str, Any]) -> None:
        """Hand what a member sent, and the gateway does not know, to the service's `on_unknown_payload`; it was refused already.

        It has `type`, `request_id`, `body`, and `user_id`, which is the member. On the event loop.
        """

    def spawn(
        self, work: Coroutine[Any, Any, None] | Callable[[], Coroutine[Any, Any, None]], *, name: str, endless: bool = False
    ) -> Callable[[], None]:
        """Run `work` beside the channels, as a task that the service owns and cancels when it stops. On the event loop.

        With `endless=True` it is given as a function, and begun again a moment later whatever ends it; `/readyz` tells of it. What is returned
        ends it for good, as the end of a plugin's lifespan does with work of its own.
        Raises TypeError for a function without it, and for a coroutine with it.
        """

    async def reload_plugin(self, name: str) -> None:
        """Let new code of a plugin take over, between two events. Raises PluginError or ConfigError, and then the old one stays."""

    def wake_timers(self, channel_id: str | None = None, keys: Iterable[str] | None = None) -> None:
        """Look at the schedules again: something was added, in this channel and under these keys if they are known. On the event loop."""

    def keep_secret(self, secret: str) -> None:
        """Hide this string (a token, a key, a password) wherever it would appear in the log."""

    def channel_ids(self) -> Sequence[str]:
        """The channels of this service, in the order of the config."""

    def plugin_names(self, channel_id: str) -> Collection[str]:
        """The plugins that serve the channel, in their order."""

    def plugins_switched(self, channel_id: str) -> None:
        """Take over which plugins serve the channel, which was committed. On the event loop."""

    def has_channel(self, channel_id: str) -> bool:
        """Whether there is such a channel, or will be when all are set up."""

    def file(self, channel_id: str, token: str) -> Path | None:
        """A file that was sent in the channel, by the token in its address `/files/CHANNEL/TOKEN/NAME`; None if there is none."""

    def health(self) -> dict[str, Any]:
        """JSON-ready facts: `ready`, `problems` (in words), and per channel whether storage answers, its queue and its last commit.

        It asks the engines, which blocks: call it in a thread.
        """

    def gauge(self, name: str, explanation: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Put a measure on the page of metrics, in place of one of the same name.

        `read` is called in a thread whenever the page is asked for, and returns a number for each value of `label`, which is
        never a member's name or id; if it raises, the gauge is left out and the log says why. Raises PluginError for a name
        that is not of small letters, digits and `_`, or that begins with `mooring_`.
        """

    def health_check(self, name: str, check: Callable[[], str | None]) -> None:
        """Ask `check` whenever somebody asks whether the service is ready, in place of one of the same name.

        It is called in a thread, and returns what keeps the service from being ready, in words, or None. What it raises counts as that.
        """

    def on_reload(self, name: str, call: Callable[[], str | None]) -> None:
        """Call this, in a thread, whenever the configs are read again (`mooring reload`, SIGHUP), in place of one of the same name.

        It returns what has changed, in words, or None. What it raises is told to whoever asked.
        """

    def metrics_page(self) -> bytes:
        """What the service and its plugins measure, in the text format of Prometheus; a gateway adds it to its own.

        It asks the engines and plugins, which blocks: call it in a thread.
        """
