"""A bot as its author would write it for the Moobius SDK. Only the imports are ours.

With the SDK they read `from moobius import Moobius, MoobiusStorage, types` and
`from moobius.types import Button, ...`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mooring import (
    Button,
    ButtonClick,
    CanvasItem,
    Character,
    Dialog,
    InputComponent,
    MenuItem,
    MenuItemClick,
    MessageBody,
    MessageContent,
    Moobius,
    MoobiusStorage,
    SimpleAction,
    StyleItem,
    types,
)


class QuizBot(Moobius):
    """Answers, relays, draws, and counts what its members do."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log: list[str] = []

    async def before_channel_init(self) -> None:
        self.log.append("before_channel_init")
        agents = await self.fetch_agents()
        self.helper = agents[0] if agents else await self.create_agent("Helper", "https://example.org/helper.png", "Helps")

    async def on_channel_init(self, channel_id: str) -> None:
        self.log.append(f"on_channel_init {channel_id}")
        self.channels[channel_id] = MoobiusStorage(self.client_id, channel_id, db_config=self.config["db_config"])
        await self.send_message("The quiz begins", channel_id, self.helper, [])
        await self.on_channel_checkin(channel_id)

    async def on_channel_checkin(self, channel_id: str) -> None:
        self.log.append(f"on_channel_checkin {channel_id}")
        for member_id in await self.fetch_member_ids(channel_id, raise_empty_list_err=False):
            await self.do_member_sync(channel_id, member_id)

    async def do_member_sync(self, channel_id: str, character: str | Character) -> None:
        await self.send_buttons(
            [Button("guess", "Guess", dialog=Dialog("Guess", [InputComponent("number", types.NUMBER, True)])), Button("score", "Score")],
            channel_id,
            [character],
        )
        await self.send_menu([MenuItem("praise", "Praise", types.TEXT)], channel_id, [character])

    async def on_start(self) -> None:
        self.log.append("on_start")

    async def on_message_up(self, message: MessageBody) -> None:
        channel_id, sender = message.channel_id, message.sender
        members = await self.fetch_member_ids(channel_id)
        text = message.content.text or ""
        match text.split(" ")[0]:
            case "ping":
                await self.send_message("pong", channel_id, self.helper, [sender])
            case "who":
                profile = await self.fetch_character_profile(sender)
                await self.send_message(f"You are {profile.name}", channel_id, self.helper.character_id, sender)
            case "card":
                await self.send_message({"link": "https://example.org", "title": "T", "button": "Go", "text": "x"}, channel_id, sender, members)
            case "picture":
                await self.send_message(Path("pictures/cat.png"), channel_id, sender, members)
            case "sound":
                await self.send_message(audio="https://example.org/a.mp3", channel_id=channel_id, sender=sender, recipients=members)
            case "download":
                await self.send_message("https://example.org/a.bin", channel_id, sender, members, subtype=types.FILE, file_display_name="data")
            case "long":
                await self.send_message("x" * 100, channel_id, sender, members, len_limit=10)
            case "dict":
                body = {"subtype": types.TEXT, "content": {"text": "from a dict"}, "recipients": members, "sender": sender}
                await self.send_message(body, channel_id=channel_id)
            case "body":
                content = MessageContent(text="from a body")
                await self.send_message(MessageBody(types.TEXT, channel_id, content, 0, [sender], self.helper.character_id, None))
            case "nobody":
                await self.send_message("to nobody", channel_id, sender, [])
            case "draw":
                await self.send_canvas(CanvasItem(text="drawn"), channel_id, members)
                await self.send_style([StyleItem(widget="canvas", display="visible", expand=True)], channel_id, members)
                await self.send_characters([*members, self.helper.character_id], channel_id, members)
            case "fail":
                await self.send_message("never seen", channel_id, sender, members)
                raise KeyError(text)
            case _:
                await self.send_message(message)

    async def on_button_click(self, action: ButtonClick) -> None:
        storage = self.channels[action.channel_id]
        storage.score[action.sender] = storage.score.get(action.sender, 0) + 1
        await self.send_message(str(storage.score[action.sender]), action.channel_id, self.helper, await self.fetch_member_ids(action.channel_id))

    async def on_menu_item_click(self, action: MenuItemClick) -> None:
        await self.send_message(f"praise for {action.message_content.text}", action.channel_id, action.sender, [action.sender])

    async def on_join(self, action: SimpleAction) -> None:
        await self.do_member_sync(action.channel_id, action.sender)
        await self.send_message("welcome", action.channel_id, self.helper, [action.sender])

    async def on_leave(self, action: SimpleAction) -> None:
        await self.send_message(f"bye {action.sender}", action.channel_id, self.helper, await self.fetch_member_ids(action.channel_id))

    async def on_refresh(self, action: SimpleAction) -> None:
        await self.do_member_sync(action.channel_id, action.sender)

    async def on_spell(self, obj: Any) -> None:
        await self.send_message(f"spell {obj}", "quiz", self.helper, await self.fetch_member_ids("quiz"))
