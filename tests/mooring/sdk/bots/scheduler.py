"""Jobs that are added at the start and inside of events, and an override of `on_action`, which sees everything that is no message."""

import asyncio

from loguru import logger
from moobius import Moobius, MoobiusWand
from moobius.types import Button, ButtonClick


class ClockBot(Moobius):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.actions = []
        self.checkin_interval = 0.2
        self.checkins = 0

    async def on_channel_checkin(self, channel_id):
        self.checkins += 1

    async def on_action(self, action_data):
        self.actions.append(action_data["subtype"])
        await super().on_action(action_data)

    async def on_refresh(self, action):
        await self.send_buttons(Button("remind", "Remind me"), action.channel_id, [action.sender])

    async def remind(self, channel_id, who):
        store = self.channels[channel_id]
        store.reminders[who] = store.reminders.get(who, 0) + 1
        await self.send_message(f"reminder {store.reminders[who]}", channel_id, None, [who])

    async def on_button_click(self, action: ButtonClick):
        logger.info("a click on {}", action.button_id)
        self.scheduler.add_job(self.remind, "interval", seconds=0.05, args=[action.channel_id, action.sender], id=action.sender)
        asyncio.create_task(self.later(action.channel_id, action.sender))

    async def later(self, channel_id, who):
        await asyncio.sleep(0.05)
        self.channels[channel_id].reminders[f"{who} later"] = True
        await self.send_message("later", channel_id, None, [who])

    async def on_message_up(self, message):
        if message.content.text == "stop":
            self.scheduler.remove_job(message.sender)


if __name__ == "__main__":
    MoobiusWand().run(ClockBot, config="config/config.json")
