"""Dicts on disk: those that the service opens for each channel, and storages that the bot makes where it needs them."""

from dataclasses import dataclass

from moobius import Moobius, MoobiusStorage, MoobiusWand, types
from moobius.database.storage import CachedDict
from moobius.types import Character


class DatabaseBot(Moobius):
    async def initalize_channel(self, channel_id):
        self.channels[channel_id] = MoobiusStorage(self.client_id, channel_id, db_config=self.config["db_config"])
        log = MoobiusStorage(self.client_id, f"{channel_id}_log", db_config=self.config["db_config"])
        for name, kept in log.__dict__.items():
            if type(kept) is CachedDict:
                kept["starts"] = kept.get("starts", 0) + 1

    async def on_message_up(self, message):
        channel_id, sender = message.channel_id, message.sender
        own = MoobiusStorage(self.client_id, channel_id, db_config=self.config["db_config"])
        stats = own.stats.get(sender, {"str": 1, "dex": 1})
        word = message.content.text.lower().strip()
        if word in stats:
            stats[word] += 1
            own.stats[sender] = stats
            report = f"{word} is {stats[word]}"
        elif word == "me":
            self.channels[channel_id].people[sender] = await self.fetch_character_profile(sender)
            report = f"kept {type(self.channels[channel_id].people[sender]).__name__}"
        elif word == "in place":
            own.stats[sender]["str"] += 10
            own.stats.save(sender)
            report = f"saved {self.channels[channel_id].stats[sender]['str']}"
        elif word == "reload":
            storage = self.channels[channel_id]
            delattr(storage, "stats")
            [entry] = [entry for entry in self.config["db_config"] if entry["name"] == "stats"]
            storage.add_container(**entry)
            report = f"reloaded {len(storage.stats)}"
        elif word == "pop":
            report = f"popped {own.stats.pop(sender, default=None)}, left {list(own.stats.keys())}"
        elif word == "fail":
            own.stats[sender] = {"str": 1000}
            raise RuntimeError("and nothing of it stays")
        else:
            report = f"{sender}: {stats}; everybody: {own.stats}"
        await self.send_message(report, channel_id, sender, [sender])


if __name__ == "__main__":
    MoobiusWand().run(DatabaseBot, config="config/config.json")
