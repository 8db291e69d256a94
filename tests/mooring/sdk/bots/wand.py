"""A service in the background, to which another part of the program sends spells, with a scheduler of its own."""

import asyncio
import json
import sys
import time

from moobius import Moobius, MoobiusWand, types


class SpellBot(Moobius):
    async def on_start(self):
        self.ticks = 0
        self.scheduler.add_job(self.tick, "interval", seconds=0.2)
        asyncio.create_task(self.count())

    async def count(self):
        while True:
            await asyncio.sleep(0.001)
            for channel_id in self.channels:
                self.channels[channel_id].spells["count"] = self.ticks

    async def tick(self):
        self.ticks += 1
        if self.ticks == 1:
            for channel_id in self.channels:
                self.channels[channel_id].spells["ticked"] = True

    async def on_spell(self, spell):
        if spell == "fail":
            raise RuntimeError("a spell that fails")
        word, times = spell
        for channel_id in self.channels.keys():
            self.channels[channel_id].spells[word] = times
            await self.send_message(f"spell: {word * times}", channel_id, None, await self.fetch_member_ids(channel_id))


if __name__ == "__main__":
    wand = MoobiusWand()
    handle = wand.run(SpellBot, config="config/config.json", background=True)
    print("up", handle, flush=True)
    for line in sys.stdin:
        if line.strip() == "stop":
            wand.stop_all()
            break
        spell = json.loads(line)
        if spell == "async":
            asyncio.run(wand.aspell(handle, ["async", 1]))
        else:
            wand.spell(handle, spell)
    print("stopped", flush=True)
