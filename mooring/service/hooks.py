"""The hooks of the service class, and what they do when nobody overrides them."""

from __future__ import annotations

import logging
from typing import Any

from mooring.bots.calling import run_channel_hooks, run_checks, run_command, run_hooks
from mooring.bots.context import Context
from mooring.bots.plugins import Plugins
from mooring.bots.serving import ServingPlugins
from mooring.channel_messages import ChannelMessage
from mooring.channels.turn import Turn, current_turn
from mooring.events import TEXT, ButtonClick, Character, MenuItemClick, MessageBody, SimpleAction, UpBody
from mooring.service.senders import Senders
from mooring.threads import Threads
from storage import MoobiusStorage

log = logging.getLogger(__name__)


class Hooks(Senders):
    """Override what you need. The hooks for events run in the channel's order, in the event's transaction.

    The defaults are the way to commands and plugins: a service that overrides `on_message_up` sees every message first, and
    calls `super()` for what it does not handle itself. Members are let in and out beside the hooks, whatever these do.
    """

    service_id: str
    config: dict[str, Any]
    channels: dict[str, MoobiusStorage]
    plugins: Plugins
    _threads: Threads
    _serving: dict[str, ServingPlugins]

    async def before_channel_init(self) -> None:
        """Called once, before the channels are set up."""

    async def on_channel_init(self, channel_id: str) -> None:
        """Set up one channel: opens its storage into `self.channels`. Called once per channel, before its first event."""
        await self.initialize_channel(channel_id)

    async def initialize_channel(self, channel_id: str) -> None:
        """`on_channel_init`, by the name that the page of the SDK means."""
        await self.initalize_channel(channel_id)

    async def initalize_channel(self, channel_id: str) -> None:
        """`on_channel_init`, by the name that the page of the SDK has."""
        await self._open_storage(channel_id)
        await self.on_channel_checkin(channel_id)

    async def on_channel_checkin(self, channel_id: str) -> None:
        """Called when a channel is set up, and every `checkin_interval` seconds after that."""

    async def on_start(self) -> None:
        """Called once, when all channels are set up and before members come in."""

    async def on_stop(self) -> None:
        """Called once, after the last event and before the storages close."""

    async def on_message_up(self, message: MessageBody) -> None:
        """A member sent a message: a line that starts with `/` is a command, `//` stands for a slash, the rest is for the channel."""
        text = message.content.text or ""
        if message.subtype == TEXT and text.startswith("/"):
            if not text.startswith("//"):
                await run_command(self.context(), text)
                return
            message.content.text = text[1:]
        sends = self._turn().sends
        before = sends.mark()
        await run_hooks(self.context(), "on_message_up", message)
        since = sends.mark()
        await self.send_message(message)
        sends.put_first(before, since)  # a hook may change the message, and yet what it replies comes after it

    async def on_button_click(self, click: ButtonClick) -> None:
        """A member used a button."""
        await run_hooks(self.context(), "on_button_click", click)

    async def on_menu_item_click(self, click: MenuItemClick) -> None:
        """A member used a menu item on a message."""
        await run_hooks(self.context(), "on_menu_item_click", click)

    async def on_join(self, action: SimpleAction) -> None:
        """A member came into the channel and is already among its members."""
        name = self.members(action.channel_id)[action.sender].name
        await self.send_message(f"{name} joined", action.channel_id, context={"notice": "join"})
        await run_hooks(self.context(), "on_join", action)
        await self.do_member_sync(action.channel_id, action.sender)

    async def on_leave(self, action: SimpleAction) -> None:
        """A member goes, and is still among the members."""
        name = self.members(action.channel_id)[action.sender].name
        await self.send_message(f"{name} left", action.channel_id, context={"notice": "leave"})
        await run_hooks(self.context(), "on_leave", action)

    async def on_refresh(self, action: SimpleAction) -> None:
        """A member asks to be shown everything anew, or comes back after a break."""
        await run_hooks(self.context(), "on_refresh", action)
        await self.do_member_sync(action.channel_id, action.sender)

    async def do_member_sync(self, channel_id: str, character: str | Character) -> None:
        """Called when one member has to be shown the channel: the place to send buttons and canvas to that member."""

    async def on_channel_message(self, message: ChannelMessage) -> None:
        """Another channel of this service sent something here: plugins hear of it, and what is a message is shown to all.

        A CommandError refuses it, and then it goes back.
        """
        await run_channel_hooks(self.context(), "on_channel_message", message)
        if isinstance(message.body, MessageBody):
            await self.send_message(message.body, message.to)

    async def on_channel_message_returned(self, message: ChannelMessage) -> None:
        """What this channel sent to another one was not taken there, for the `reason` that the message has."""
        await run_channel_hooks(self.context(), "on_channel_message_returned", message)

    async def on_spell(self, obj: Any) -> None:
        """Called with what `cast` was given, outside of every channel's order."""
        log.debug("a spell of type %s came and nobody overrides on_spell", type(obj).__name__)

    async def on_unknown_payload(self, payload: dict[str, Any]) -> None:
        """A gateway got a well-formed frame of a type that it does not know, and has refused it. Called outside of every channel's order."""
        log.info("a frame of the unknown type %.80r came", payload.get("type"))

    async def _check(self, event: UpBody) -> None:
        """Let plugins refuse an event before anything is done with it."""
        await run_checks(self.context(), event)

    async def _act(self, action: ButtonClick | MenuItemClick | SimpleAction) -> None:
        """Call the hook for what a member did other than sending a message."""
        match action:
            case ButtonClick():
                await self.on_button_click(action)
            case MenuItemClick():
                await self.on_menu_item_click(action)
            case SimpleAction(subtype="join"):
                await self.on_join(action)
            case SimpleAction(subtype="leave"):
                await self.on_leave(action)
            case SimpleAction(subtype="refresh"):
                await self.on_refresh(action)
            case _:
                raise ValueError(f"there is no action {action.subtype!r}; there are join, leave, refresh and clicks")

    async def _open_storage(self, channel_id: str) -> None:
        self.channels[channel_id] = await self._threads.run(MoobiusStorage, self.service_id, channel_id, self.config["db_config"])

    def context(self) -> Context:
        """The Context of the event in hand, as commands get it. Raises RuntimeError where there is none."""
        turn = self._turn()
        return Context(turn, self._channel_plugins(turn.channel_id))

    def _channel_plugins(self, channel_id: str) -> Plugins:
        """The plugins that serve the channel."""
        serving = self._serving.get(channel_id)
        return self.plugins if serving is None else serving()

    def _turn(self) -> Turn:
        turn = current_turn()
        if turn is None or not turn.open:
            raise RuntimeError("there is no event in hand here; use service.in_channel(channel_id, work)")
        return turn
