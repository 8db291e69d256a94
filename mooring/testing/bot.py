"""A bot in a test, driven line by line by its members."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mooring.events import (
    TEXT,
    Acknowledgement,
    ButtonClick,
    ClickArgument,
    Down,
    MenuItemClick,
    MessageBody,
    MessageContent,
    SimpleAction,
    UpBody,
    UpEvent,
)
from mooring.testing.engines import EngineUnderTest
from mooring.testing.lifecycle import Life

if TYPE_CHECKING:
    from mooring.bars.bar import Bar
    from storage import MoobiusStorage


class Bot(Life):
    """One service with its members, as a test sees it; made by the fixtures `make_bot` and `make_bot_on_every_engine`.

    Plugins are names of built-in ones, or paths of files. `dicts` are the dicts that they use, those of their bars aside.
    Members have their name for an id, and `members` have joined the first channel.
    """

    def __init__(
        self,
        plugins: Sequence[str],
        engine: EngineUnderTest,
        folder: Path,
        *,
        members: Sequence[str],
        channels: Sequence[str],
        seed: int = 0,
        **setting: Any,
    ) -> None:
        self._first = channels[0]
        self._seed = random.Random(seed)  # noqa: S311 - it has to be repeatable
        self._sent = 0
        self._last: UpEvent | None = None
        self._crowd: list[UpEvent] = []
        self._roles: dict[tuple[str, str], str | None] = {}
        super().__init__(plugins, engine, folder, channels=channels, **setting)
        for name in members:
            self.join(name)

    # -- what members do -------------------------------------------------------------------------------------------------

    def say(self, name: str, line: str, channel: str | None = None) -> str:
        """Let a member type a line, and return all that is said to that member in answer, line by line."""
        channel_id = self._here(name, channel)
        body = MessageBody(TEXT, channel_id, MessageContent(text=line), sender=name)
        return self._answer(UpEvent("message_up", self._next_id(), channel_id, name, body))

    def again(self) -> str:
        """Send the last event once more with the same id, as a client does that heard no answer."""
        if self._last is None:
            raise ValueError("nothing was sent yet")
        return self._answer(self._last)

    def click(self, name: str, button_id: str, channel: str | None = None, **arguments: str) -> str:
        """Let a member use a button, with what was entered into its dialog."""
        channel_id = self._here(name, channel)
        entered = [ClickArgument(label, value) for label, value in arguments.items()]
        return self._answer(UpEvent("button_click", self._next_id(), channel_id, name, ButtonClick(button_id, channel_id, name, entered)))

    def pick(self, name: str, menu_item_id: str, text: str, channel: str | None = None) -> str:
        """Let a member use a menu item on the newest message with this text that the member can see."""
        channel_id = self._here(name, channel)
        seen = (down.body for down in reversed(self.service.history(channel_id, name, limit=1000)) if down.body.content.text == text)
        message = next(seen, MessageBody(TEXT, channel_id, MessageContent(text=text)))
        click = MenuItemClick(menu_item_id, message.subtype, message.content, channel_id, name, message.message_id)
        return self._answer(UpEvent("menu_item_click", self._next_id(), channel_id, name, click))

    def join(self, name: str, channel: str | None = None, *, role: str | None = None) -> str:
        """Let somebody join, as a member or with a role; also brings back who had left."""
        channel_id = channel or self._first
        self._roles[channel_id, name] = role
        action = SimpleAction("join", channel_id, name, {"name": name, "role": role})
        return self._answer(UpEvent("join", self._next_id(), channel_id, name, action))

    def leave(self, name: str, channel: str | None = None) -> str:
        """Let a member leave."""
        channel_id = self._here(name, channel)
        del self._roles[channel_id, name]
        return self._answer(UpEvent("leave", self._next_id(), channel_id, name, SimpleAction("leave", channel_id, name)))

    def in_parallel(self, *lines: tuple[str, str, str]) -> list[str]:
        """Let members type (name, line, channel) at the same time; returns what each was told."""
        before = len(self._gateway.heard)
        events = [
            UpEvent(
                "message_up", self._next_id(), self._here(name, channel), name, MessageBody(TEXT, channel, MessageContent(text=line), sender=name)
            )
            for name, line, channel in lines
        ]

        async def submit() -> None:
            await asyncio.gather(*(self._service.submit(event) for event in events))

        self._run(submit())
        heard = self._gateway.heard[before:]
        return ["\n".join(self._texts(heard, event.member_id, event.channel_id)) for event in events]

    def together(self, *lines: tuple[str, str], channel: str | None = None) -> list[str]:
        """Let many members type at once, in an order that the bot's seed decides; returns for each line its error, or ""."""
        events: list[UpEvent] = []
        for name, line in lines:
            channel_id = self._here(name, channel)
            body: UpBody = MessageBody(TEXT, channel_id, MessageContent(text=line), sender=name)
            events.append(UpEvent("message_up", self._next_id(), channel_id, name, body))
        self._crowd = events
        return self.together_again()

    def together_again(self) -> list[str]:
        """Send the events of the last `together` once more with the same ids, in another order."""
        order = self._seed.sample(self._crowd, len(self._crowd))

        async def submit() -> list[Acknowledgement]:
            return await asyncio.gather(*(self._service.submit(event) for event in order))

        answers = {answer.request_id: answer.message for answer in self._run(submit())}
        return [answers[event.request_id] for event in self._crowd]

    # -- what the test looks at ------------------------------------------------------------------------------------------

    @property
    def storage(self) -> MoobiusStorage:
        """The dicts of the first channel; those of others are in `service.channels`."""
        return self._service.channels[self._first]

    def bar(self, name: str, member: str, channel: str | None = None) -> Bar:
        """A member's bar as it is kept."""
        return self._service.plugins.bar(name).peek(self._service.channels[channel or self._first], member)

    @property
    def delivered(self) -> list[Down]:
        """Everything that went down to anybody since the bot was started, as gateways get it."""
        return list(self._gateway.heard)

    def heard(self, name: str, channel: str | None = None) -> list[str]:
        """The texts of all messages that a member could see since the bot was started, oldest first."""
        return self._texts(self._gateway.heard, name, channel or self._first)

    def shown(self, kind: str, name: str, channel: str | None = None) -> Any:
        """What a member sees now of one kind of update: `canvas`, `buttons`, `characters`, ..."""
        found = None
        for down in self._service.current(channel or self._first, name):
            found = down.body if down.type == kind else found
        return found

    # --------------------------------------------------------------------------------------------------------------------

    def _answer(self, event: UpEvent) -> str:
        self._last = event
        before = len(self._gateway.heard)
        answer = self._run(self._service.submit(event))
        texts = self._texts(self._gateway.heard[before:], event.member_id, event.channel_id)
        return "\n".join(texts) if texts or answer.ok else answer.message

    def _texts(self, downs: Sequence[Down], name: str, channel_id: str) -> list[str]:
        return [
            down.body.content.text or down.body.content.path or ""
            for down in downs
            if down.type == "message_down"
            and down.channel_id == channel_id
            and down.number
            and (name not in down.besides if down.recipients is None else name in down.recipients)
            and down.body.sender != name
        ]

    def _here(self, name: str, channel: str | None) -> str:
        """The channel, which the member joins if that was not done yet."""
        channel_id = channel or self._first
        if (channel_id, name) not in self._roles:
            self.join(name, channel_id)
        return channel_id

    def _next_id(self) -> str:
        self._sent += 1
        return f"test-{self._sent}"
