"""Characters that no person plays: made once, shown beside the members, renamed, and spoken for. It keeps a storage of its own."""

import asyncio

from moobius import Moobius, MoobiusStorage, MoobiusWand
from moobius import types


class AgentBot(Moobius):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stores = {}
        self.helper = None
        self.crew = {}

    async def before_channel_init(self):
        known = {agent.name: agent for agent in await self.fetch_agents()}
        self.helper = known.get("Helper") or await self.create_agent(name="Helper", avatar="face.png", description="Helps")

    async def on_channel_init(self, channel_id):
        self.stores[channel_id] = MoobiusStorage(self.client_id, channel_id, self.config["db_config"])

        async def hire(name):
            return name, await self.create_agent(name=name)

        if not self.crew:
            self.crew = dict(await asyncio.gather(*[hire(name) for name in ("Abe", "Bea")]))

    async def show(self, channel_id, who=None):
        members = await self.fetch_member_ids(channel_id, False)
        listed = [self.helper.character_id] + members + [agent.character_id for agent in self.crew.values()]
        await self.send_characters(characters=listed, channel_id=channel_id, recipients=who or members)

    async def on_join(self, action):
        name = (await self.fetch_character_profile(action.sender)).name
        store = self.stores[action.channel_id]
        store.visits[action.sender] = store.visits.get(action.sender, 0) + 1
        await self.send_message(f"Welcome, {name}!", action.channel_id, self.helper, await self.fetch_member_ids(action.channel_id))
        await self.show(action.channel_id)

    async def on_leave(self, action):
        await self.send_message(f"{action.sender} went", action.channel_id, self.crew["Abe"], await self.fetch_member_ids(action.channel_id))

    async def on_message_up(self, message):
        text = message.content.text
        channel_id = message.channel_id
        everyone = await self.fetch_member_ids(channel_id)
        if not message.recipients:
            await self.send_message(f"The service heard: {text}", channel_id, self.helper.character_id, message.sender)
        elif text.startswith("rename "):
            abe = self.crew["Abe"]
            await self.update_agent(abe, abe.avatar, "Renamed", text.removeprefix("rename "))
            await self.show(channel_id)
        elif text == "others":
            everyone.remove(message.sender)
            await self.send_message("psst", channel_id, self.crew["Bea"], everyone)
        elif text == "nested":
            await self.send_message("to all", channel_id, self.crew["Bea"], [everyone])
        elif text == "visits":
            await self.send_message(str(dict(self.stores[channel_id].visits)), channel_id, self.helper, everyone)
        else:
            await self.send_message(message, recipients=[self.crew["Bea"], *message.recipients])


if __name__ == "__main__":
    MoobiusWand().run(AgentBot, config="config/config.json")
