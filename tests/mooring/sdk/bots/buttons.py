"""Buttons with and without dialogs; they are sent when a member's view is refreshed."""

from moobius import Moobius, MoobiusWand
from moobius.types import *
import moobius.types as types


class ButtonBot(Moobius):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.clicks = {}

    async def on_refresh(self, action):
        fields = [
            InputComponent(label="Colour", type=types.DROPDOWN, required=True, choices=["red", "green"], placeholder="pick one"),
            InputComponent(label="Reason", type=types.TEXTBOX),
        ]
        asking = Dialog("Your colour", components=fields, bottom_buttons=[BottomButton("no", "Never mind", False), BottomButton("ok", "Paint", True)])
        buttons = [
            Button(button_id="plain", button_text="Count me"),
            Button(button_id="paint", button_text="Paint", dialog=asking),
            Button("none", "No dialog", dialog=False),
            {"button_id": "dict", "button_text": "A dict", "dialog": {"title": "Name", "components": [{"label": "name", "type": "text"}]}},
        ]
        await self.send_buttons(buttons, action.channel_id, [action.sender])

    async def on_button_click(self, click: ButtonClick):
        if click.button_id == "paint":
            chosen = ", ".join(f"{each.label}={each.value}" for each in click.arguments)
            text = f"{chosen} by {click.bottom_button_id}"
        else:
            self.clicks[click.sender] = self.clicks.get(click.sender, 0) + 1
            text = f"{click.button_id}: {self.clicks[click.sender]}, arguments {click.arguments or []}"
        await self.send_message(text, click.channel_id, click.sender, [click.sender])


if __name__ == "__main__":
    MoobiusWand().run(ButtonBot, config="config/config.json")
