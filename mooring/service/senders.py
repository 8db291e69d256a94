"""The senders of the service class: the ways to say and show something that the Moobius SDK has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mooring.bots.messages import Message, Recipients, compose, ids_of, shorten
from mooring.channels.agents import Agents
from mooring.channels.sends import Sends
from mooring.events import (
    AUDIO,
    IMAGE,
    Button,
    CanvasItem,
    Character,
    MenuItem,
    MessageBody,
    StyleItem,
)
from mooring.kinds import CHARACTERS, DOWN_KINDS, update_kind
from mooring.recipients import Everyone

Item = TypeVar("Item")


class Senders(ABC):
    """What is sent inside an event leaves after its commit, and never if it is undone.

    Sent from elsewhere (on_start, a task), it is an event of its own: the call returns after the commit. `recipients` are ids
    or Characters, one or any collection; None is everybody, an empty list nobody. `Moobius` returns what was sent, others None.
    """

    _agents: Agents

    @abstractmethod
    async def _post(self, channel_id: str, act: Callable[[Sends], object]) -> None:
        """Let `act` add to the sends of the event in hand, or of one made for it. Other senders are built on it."""

    @abstractmethod
    def members(self, channel_id: str) -> Mapping[str, Character]:
        """Everybody who has joined the channel, by id."""

    @abstractmethod
    async def _members_of(self, channel_id: str) -> Mapping[str, Character]:
        """Everybody who has joined the channel, by id, also while it is being set up."""

    async def send_message(  # noqa: PLR0917 - the order of the SDK's arguments
        self,
        message: Message = "",
        channel_id: str | None = None,
        sender: str | Character | None = None,
        recipients: Recipients | None = None,
        subtype: str | None = None,
        text: str | None = None,
        path: str | None = None,
        image: str | None = None,
        audio: str | None = None,
        link: str | None = None,
        title: str | None = None,
        button: str | None = None,
        len_limit: int | None = None,
        file_display_name: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> Any:
        """Send a message: a text, a MessageBody (as it came, or changed), a dict of its fields, or the path of a file.

        What the other arguments give takes the place of what the message has. A text whose subtype is not `text` is a path or
        URL; a dict with `link`, `title`, `text` and `button` is a card. `image` and `audio` are a path and a subtype in one.
        """
        kind = IMAGE if image else AUDIO if audio else subtype
        place = image or audio or path
        body = compose(message, subtype=kind, file_name=file_display_name, text=text, path=place, link=link, title=title, button=button)
        if len_limit and body.content.text:
            body.content.text = shorten(body.content.text, len_limit)
        if sender is not None:
            body.sender = ids_of(sender)[0]
        target = channel_id or body.channel_id
        if not target:
            raise ValueError("send_message needs a channel_id, as an argument or in the message")
        body.message_id, body.context = None, context or body.context
        to = self._with_sender(ids_of(body.recipients if recipients is None else recipients), body.sender)
        await self._place(body)
        body.channel_id = target
        await self._send_to(target, to, lambda sends, only: sends.message(body, only))
        return self._sent_message(body, to)

    async def send_characters(self, characters: Recipients, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show these characters (ids of members and agents, or Characters) as the channel's list of members.

        What `fetch_member_ids` returned is everybody, those who join later included: the list that a channel shows by itself.
        """
        if isinstance(characters, Everyone) and characters.is_everyone:
            return await self._send_update(CHARACTERS, None, channel_id, recipients)
        named = [characters] if isinstance(characters, str | Character) else characters
        known = await self._members_of(channel_id)
        listed = [entry if isinstance(entry, Character) else known.get(entry) or self._agents.get(entry) for entry in named]
        return await self.send_update(CHARACTERS, [character for character in listed if character is not None], channel_id, recipients)

    async def send_buttons(self, buttons: Sequence[Button] | Button, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show these buttons above the composer, in place of those that were there."""
        return await self.send_update("buttons", buttons, channel_id, recipients)

    async def send_canvas(self, canvas_items: Sequence[CanvasItem] | CanvasItem, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show these items on the canvas, in place of those that were there."""
        return await self.send_update("canvas", canvas_items, channel_id, recipients)

    async def send_menu(self, menu_items: Sequence[MenuItem] | MenuItem, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Offer these entries in the menu of messages, in place of those that were there."""
        return await self.send_update("menu", menu_items, channel_id, recipients)

    async def send_style(self, style_items: Sequence[StyleItem] | StyleItem, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show, hide or highlight parts of the page, in place of what was said of them before."""
        return await self.send_update("style", style_items, channel_id, recipients)

    async def send_update(self, kind: str, items: Any, /, channel_id: str, recipients: Recipients | None = None) -> Any:
        """Show an update of any kind (`mooring.DOWN_KINDS`), in place of the one before. Raises ValueError if there is no such kind."""
        return await self._send_update(kind, update_kind(kind).body_of(items), channel_id, recipients)

    async def fetch_member_ids(self, channel_id: str, raise_empty_list_err: bool = False) -> Everyone:
        """The ids of all who have joined, as a list. As recipients they are everybody, those who join later included, until the list is changed."""
        ids = Everyone(await self._members_of(channel_id))
        if raise_empty_list_err and not ids:
            raise ValueError(f"channel {channel_id!r} has no members")
        return ids

    async def fetch_character_profile(self, character: Recipients) -> Any:
        """The Character of one id, or a list of them for a list of ids; ids that nobody has are left out."""
        if isinstance(character, str | Character):
            return await self._profile(character)
        return [found for one in character if (found := await self._profile(one)) is not None]

    async def fetch_characters(self, channel_id: str) -> list[Character]:
        """The channel's members and the service's agents."""
        return [*(await self._members_of(channel_id)).values(), *self._agents.all()]

    async def create_agent(self, name: str, avatar: str | None = None, description: str | None = "No description") -> Character:
        """Make a character that no person plays; its id can be the sender of messages in every channel."""
        return await self._agents.create(name, avatar, description)

    async def fetch_agents(self) -> list[Character]:
        """All agents that `create_agent` made."""
        return self._agents.all()

    @abstractmethod
    def _all_channels(self) -> Sequence[str]:
        """The channels of this service, those that are still being set up last."""

    def _with_sender(self, to: Sequence[str], sender: str) -> Sequence[str]:
        """To agents alone nobody would see a message, not even who wrote it."""
        return [*to, sender] if to and sender and not isinstance(to, Everyone) and all(map(self._agents.get, to)) else to

    async def _profile(self, entry: str | Character) -> Character | None:
        if isinstance(entry, Character):
            return entry
        agent = self._agents.get(entry)
        if agent is not None:
            return agent
        for channel_id in self._all_channels():
            members = await self._members_of(channel_id)
            if entry in members:
                return members[entry]
        return None

    async def _send_update(self, kind: str, body: Any, channel_id: str, recipients: Recipients | None) -> Any:
        to = Everyone() if recipients is None else ids_of(recipients)
        await self._send_to(channel_id, to, lambda sends, only: sends.update(DOWN_KINDS[kind], body, only))
        return self._sent_update(kind, channel_id, body, to)

    async def _place(self, body: MessageBody) -> None:  # noqa: B027 - most services have nothing to do here
        """Called with each message before it is sent, for a service that has something to do with the file in it."""

    def _sent_message(self, body: MessageBody, to: Sequence[str]) -> Any:
        """What `send_message` returns."""
        return None

    def _sent_update(self, kind: str, channel_id: str, body: Any, to: Sequence[str]) -> Any:
        """What the senders of updates return."""
        return None

    async def _send_to(self, channel_id: str, to: Sequence[str], act: Callable[[Sends, Sequence[str] | None], object]) -> None:
        if isinstance(to, Everyone):
            await self._post(channel_id, lambda sends: act(sends, None))
        elif to:
            await self._post(channel_id, lambda sends: act(sends, to))
