"""What a handler gets: the channel it stands in, who acts, and the ways to answer."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, Generic, TypeAlias, cast

from typing_extensions import TypeVar

from mooring import protocols
from mooring.bars.bar import Bar
from mooring.bots import background as beside
from mooring.bots.messages import Message, compose
from mooring.bots.plugin import Plugin
from mooring.bots.plugins import Plugins
from mooring.bots.progress import Progress
from mooring.bots.recurrence import Recurrence
from mooring.bots.schedule import Schedule, ScheduledCall, moment, new_key
from mooring.bots.sent_messages import MessageHandle, SentMessages
from mooring.bots.stores import Store
from mooring.channels.held_values import HeldValues
from mooring.channels.other_channels import parcel_for_channel, record_of
from mooring.channels.settings import ChannelSettings
from mooring.channels.system_dicts import SCHEDULES, SETTINGS
from mooring.channels.turn import Turn
from mooring.clock import use_clock
from mooring.commands.pending import Question
from mooring.commands.people import Channel, Member
from mooring.errors import CommandError, PluginError, TurnEnded
from mooring.events import Button, CanvasItem, MenuItem, MessageBody, StyleItem, UpEvent
from mooring.kinds import update_kind
from mooring.text import clip, suggestion
from storage import MoobiusStorage

StateT = TypeVar("StateT", default=Any)
V = TypeVar("V")


class Context(Generic[StateT]):
    """One event in one channel, as a handler sees it. `Context[Account]` says what the plugin's `lifespan` yields.

    The handler may be run again if another process committed first, so nothing that it sends leaves before the commit, and
    what must not be repeated goes into `after_commit` or `background`.
    """

    def __init__(self, turn: Turn, plugins: Plugins, plugin: Plugin | None = None, line: str = "") -> None:
        self._any_turn = turn
        self._line = line
        self._member_id = turn.member_id
        self._member: Member | None = None
        self._confirmed: frozenset[str] = frozenset()
        self._progress: list[Progress] = []
        self.plugins = plugins
        """All loaded plugins; `plugins.table` is the table of commands."""
        self.plugin = plugin
        """The plugin whose handler runs."""

    @property
    def _turn(self) -> Turn:
        turn = self._any_turn
        if not turn.open:
            raise TurnEnded(
                f"the event of channel {turn.channel_id} to which this context belongs is over, so nothing that is done with it could be kept; "
                "for what comes later use ctx.background(work), or service.in_channel(channel_id, work)"
            )
        return turn

    @property
    def storage(self) -> MoobiusStorage:
        """This channel's dicts."""
        return self._turn.storage

    def get(self, store: Store[V], who: Member | str | None = None) -> V:
        """The same as `store[ctx]`, or `store[ctx, who]`."""
        return store[self] if who is None else store[self, who]

    @property
    def held_values(self) -> HeldValues:
        """The objects that stores have handed out in this event."""
        return self._turn.held_values

    def store_name(self, store: Store[Any]) -> str:
        """What the storage calls it. Raises PluginError if no loaded plugin declares it."""
        return self.plugins.store_name(store)

    @property
    def service(self) -> protocols.Service[Context]:
        """The running service, for what reaches beyond this channel. It, `clock`, `config` and `state` may be used when the event is over."""
        return self._any_turn.service

    @property
    def channel(self) -> Channel:
        """The channel and its members."""
        turn = self._turn
        return Channel(turn.channel_id, turn.service.channel_info(turn.channel_id).channel_name, turn.members, turn.members.owner_of)

    @property
    def member(self) -> Member:
        """Who acts. Raises CommandError when nobody does, as in a timer, or when the sender has not joined."""
        turn = self._turn
        if self._member is None:
            character = turn.members.get(self._member_id)
            if character is None:
                raise CommandError("Join the channel first." if self.event else "Whoever this was for has left the channel.")
            self._member = Member.of(character)
        return self._member

    @property
    def event(self) -> UpEvent | None:
        """The event as the gateway brought it; None in timers and other work of the service."""
        return self._any_turn.event

    @property
    def chosen_in(self) -> str:
        """The plugin that shows the button or menu item which the event is about; empty for other events, and what the service itself shows."""
        return self._turn.chosen_in

    @property
    def line(self) -> str:
        """The command line in hand, empty in hooks."""
        return self._line

    @property
    def config(self) -> Any:
        """The plugin's own validated `Config`; None if it declares none."""
        return None if self.plugin is None else self.plugin.config

    @property
    def state(self) -> StateT:
        """What the plugin's `lifespan` yielded; None if it has none.

        Raises PluginError before that: `on_channel_init` runs when no lifespan has begun yet.
        """
        if self.plugin is None or self.plugin.lifespan is None:
            return cast(StateT, None)
        try:
            return cast(StateT, self.plugins.runtime.states[self.plugin.name])
        except KeyError:
            raise PluginError(f"the lifespan of {self.plugin.name} has not begun, or is over, so that there is no state") from None

    def clock(self) -> float:
        """Seconds since 1970; in tests the time that the test sets."""
        return self._any_turn.clock()

    @property
    def messages(self) -> SentMessages:
        """The messages that were sent, to be edited and deleted."""
        return SentMessages(self._turn)

    def reply(self, message: Message) -> MessageHandle:
        """Answer in the channel, for all of its members: a text, a `table`, a `card`, or the Path of a file."""
        return self._send(message, None)

    def tell(self, member: Member | str, message: Message) -> MessageHandle:
        """Answer one member (or member id) alone."""
        return self._send(message, [member.id if isinstance(member, Member) else member])

    def canvas(self, items: Sequence[CanvasItem], to: Iterable[Member] | None = None) -> None:
        """Show `items` on the canvas beside the messages, in place of what this plugin showed there; kept until it shows something else."""
        self.show("canvas", items, to)

    def buttons(self, items: Sequence[Button], to: Iterable[Member] | None = None) -> None:
        """Show `items` above the composer, in place of this plugin's earlier ones; a click on one of them comes to this plugin alone."""
        self.show("buttons", items, to)

    def menu(self, items: Sequence[MenuItem], to: Iterable[Member] | None = None) -> None:
        """Offer `items` in the menu of messages, in place of this plugin's earlier ones; whoever picks one comes to this plugin alone."""
        self.show("menu", items, to)

    def style(self, items: Sequence[StyleItem], to: Iterable[Member] | None = None) -> None:
        """Show, hide or highlight widgets of the page."""
        self.show("style", items, to)

    def show(self, kind: str, items: Any, to: Iterable[Member] | None = None) -> None:
        """Show an update of any kind (`mooring.DOWN_KINDS`), in place of the one before. Raises ValueError if there is no such kind."""
        known = update_kind(kind)
        slot = self.plugin.name if self.plugin else ""
        self._turn.sends.update(known, known.body_of(items), None if to is None else [member.id for member in to], slot=slot)

    def progress(self, label: str, total: int | None = None) -> Progress:
        """One message that shows how far the work is; its steps leave at once, its end is a reply like any other."""
        progress = Progress(
            self._turn.service,
            self._turn.channel_id,
            self.clock,
            label=label,
            total=total,
            context=self._message_context(),
            message_id=self._repeatable_id(),
        )
        self._progress.append(progress)
        return progress

    def bar(self, name: str, owner: Member | str | None = None) -> Bar:
        """The declared bar `name` of a member (the acting one if left out) or of the channel, new if there is none yet.

        What is done to it is saved with the event.
        """
        spec = self.plugins.bar(name)
        if spec.owner == "channel":
            return spec.of(self.storage)
        owner = self.member if owner is None else owner
        return spec.of(self.storage, owner.id if isinstance(owner, Member) else owner)

    def confirm(self, question: str) -> None:
        """Go on only if the member has said yes to `question`.

        Otherwise the event ends here and is undone, the member is asked, and `/yes` within a minute runs the line again.
        """
        if question in self._confirmed:
            return
        if not self._line:
            raise PluginError("only commands can ask for a confirmation")
        asked = Question(self._line, self._confirmed | {question}, self.clock())
        self.plugins.runtime.pending.ask(self._turn.channel_id, self.member.id, asked)
        raise CommandError(f"{question} Type /yes to go on.")

    def schedule(self, when: str | timedelta | datetime, function: Callable[..., Any], *arguments: Any) -> str:
        """Let `function(ctx, *arguments)` run at a time, or after a span like `"10m"`, in the name of this member.

        It is a function at the top of the plugin's module. It runs in the channel's order, in a transaction, also when the
        service was restarted in between. If it raises anything but CommandError, or is not there, it is tried again later; what
        fails at every try stays in `schedules`. The result cancels it: `ctx.cancel(...)`.
        """
        now = self.clock()
        return self._schedule(moment(when, now), function, arguments, since=None if isinstance(when, datetime) else now)

    def repeat(self, function: Callable[..., Any], *arguments: Any, every: str = "", cron: str = "", zone: str = "UTC") -> str:
        """The same again and again: `every="10m"`, or `cron="30 9 * * 1-5"` in a time zone like `Europe/Berlin`, until it is cancelled."""
        recurrence = Recurrence.of(every, cron, zone)
        return self._schedule(recurrence.next_after(self.clock()), function, arguments, recurrence)

    def switch_plugin(self, name: str, on: bool) -> None:
        """Let a loaded plugin serve this channel from the next event on, or no more, whatever the config says. Raises CommandError."""
        plugins = self.plugins
        if name not in plugins.everywhere:
            raise CommandError(f"No plugin called {clip(name)} is loaded.{suggestion(name, plugins.everywhere)}")
        if (name in plugins.loaded) == on:
            raise CommandError(f"The plugin {name} is {'on' if on else 'off'} here already.")
        if not on and self.plugin is not None and name == self.plugin.name:
            raise CommandError(f"The plugin {name} is what you are talking to, and could not be switched on again.")
        if on:
            try:
                plugins.only([plugins.everywhere[name]]).check_ready(self.storage)
            except PluginError as error:
                raise CommandError(f"The plugin {name} cannot serve this channel: {error}") from error
        ChannelSettings(SETTINGS.of(self.storage)).switch(name, on)
        service, channel_id = self._turn.service, self._turn.channel_id
        self.after_commit(lambda: service.plugins_switched(channel_id))

    def schedules(self) -> list[ScheduledCall]:
        """What is to happen in this channel for all plugins, and what was given up, by the time at which it is due."""
        return sorted(Schedule(SCHEDULES.of(self.storage)).calls(), key=lambda call: (call.due, call.key))

    def _schedule(
        self,
        due: float,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        recurrence: Recurrence | None = None,
        since: float | None = None,
    ) -> str:
        if self.plugin is None:
            raise PluginError("only plugins schedule")
        if getattr(self.plugin.module, function.__name__, None) is not function:
            raise PluginError(f"{function.__qualname__} would not be found after a restart; schedule a function that is in the plugin's module")
        call = ScheduledCall(new_key(), due, self.plugin.name, function.__name__, arguments, self._member_id, recurrence, since=since)
        self._wake_timers(call.key)
        Schedule(SCHEDULES.of(self.storage)).add(call)
        return call.key

    def try_again(self, key: str) -> bool:
        """Let what was given up run once more, soon; False if nothing with this key was."""
        self._wake_timers(key)
        return Schedule(SCHEDULES.of(self.storage)).try_again(key, self.clock())

    def _wake_timers(self, key: str) -> None:
        service, channel_id = self._turn.service, self._turn.channel_id
        self.after_commit(lambda: service.wake_timers(channel_id, [key]))

    def cancel(self, key: str) -> bool:
        """Forget what `schedule` returned this key for; False if it has run already."""
        return Schedule(SCHEDULES.of(self.storage)).cancel(key)

    def send_to(self, channel_id: str, what: Any) -> str:
        """Send something to another channel of this service, with this event's commit. It is taken there once, whatever crashes.

        A text, MessageBody or Path is shown there to all; it is no command, whatever it begins with. Anything else that a dict can hold is
        for this plugin's `on_channel_message(ctx, message)` there. What is not taken (the channel is gone by then, or its hook raised
        CommandError) comes back to `on_channel_message_returned`. The result is the `id` that the ChannelMessage has in both.

        Raises CommandError if there is no such channel. Too much on the way to it refuses the event.
        """
        service = self._turn.service
        if not service.has_channel(channel_id):
            raise CommandError(str(protocols.UnknownChannel(channel_id)))
        is_message = isinstance(what, str | MessageBody | PurePath)
        if not is_message and self.plugin is not None and "on_channel_message" not in self.plugin.hooks:
            raise PluginError(f"plugin {self.plugin.name} sends a {type(what).__name__} to another channel, and has no on_channel_message to take it")
        event = record_of(compose(what) if is_message else what)
        parcel = parcel_for_channel(channel_id, {**event, "plugin": self.plugin.name if self.plugin else "", "member": self._member_id})
        self._turn.sends.parcels.append(parcel)
        return parcel.key

    def after_commit(self, call: Callable[[], Awaitable[None] | None]) -> None:
        """Call `call` once when the changes are on disk and the replies are out; never if the event is undone."""
        self._turn.sends.after_commit(call)

    def background(self, work: Callable[[beside.Background[Context]], Awaitable[None]]) -> None:
        """Run `work` after the commit beside the channel, which goes on meanwhile: for long fetches."""
        service = self._turn.service
        owner = self.plugin.name if self.plugin else ""
        handle = beside.Background(service, self._turn.channel_id, use_clock(self.clock, owner), self._again, self._message_context())
        table = self.plugins.table
        match = table.find(self._line) if self._line else None
        name = f"{self.plugin.name if self.plugin else 'work'}: {self._line or work.__qualname__}"
        runs = self.plugins.runtime.runs
        most = match.command.rules.runs if match else None
        limit = nullcontext() if match is None or most is None else runs.one(match.command.name, most)
        self.after_commit(lambda: beside.run_in_background(service, handle, work, name, limit))

    def for_plugin(self, plugin: Plugin | None, line: str = "", *, member_id: str | None = None) -> Context:
        """The same event for a handler of another plugin, or in the name of another member."""
        other = self._copy()
        other.plugin = plugin
        other._line = line
        other._progress = []
        if member_id is not None:
            other._member_id, other._member = member_id, None
        return other

    def confirmed(self, questions: frozenset[str]) -> Context:
        """The same event with these questions answered by yes."""
        other = self._copy()
        other._confirmed = questions
        return other

    def _copy(self) -> Context:
        # What copy.copy comes to, at a tenth of its cost: each command has two copies.
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def refuse(self, text: str) -> None:
        """Tell the member why nothing was done, in an event that is kept all the same; nothing is sent for an empty text, or if nobody acts."""
        if text and self._member_id:
            self._turn.sends.message(text, [self._member_id], context={**self._message_context(), "error": True})

    def begin_handler(self, what: str) -> Turn:
        """Note who runs from here on, for the log and for the time that it may take."""
        self._turn.begin(f"{self.plugin.name}: {what}" if self.plugin else what)
        return self._turn

    def close_progress(self) -> None:
        """Turn what `progress` showed last into replies; called when the handler returned."""
        for progress in self._progress:
            if (final := progress.final()) is not None:
                self._turn.sends.message(final)

    def stop_progress(self) -> None:
        """Called when the handler raised."""
        for progress in self._progress:
            progress.stop()

    def _send(self, message: Message, recipients: list[str] | None) -> MessageHandle:
        body = self._turn.sends.message(compose(message), recipients, context=self._message_context())
        return MessageHandle(body.message_id or "")

    def _repeatable_id(self) -> str:
        """A message id that is the same when the handler runs again, so that its progress goes on in the same message."""
        if self.event is None:
            return ""
        parts = [self.event.member_id, self.event.request_id, self.plugin.name if self.plugin else "", str(len(self._progress))]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _again(self, context: Context) -> Context:
        """A later turn (of background work) in the name of this one's member, plugin and line."""
        return context.for_plugin(self.plugin, self._line, member_id=self._member_id)

    def _message_context(self) -> dict[str, Any]:
        return {"command": self._line} if self._line else {}


Background: TypeAlias = beside.Background[Context]
"""What work beside a channel gets."""

Service: TypeAlias = protocols.Service[Context]
"""The running service as plugins see it."""
