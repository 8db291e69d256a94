"""A bot of the real Moobius SDK that keeps its data with `storage`. It is run as a program, in which nothing of Mooring is loaded.

The platform cannot be here. What talks to it, `http_api` and `ws_client` of the bot, gives the answers that it would give; everything between
these and the bot's hooks is the SDK's own code.
"""

import asyncio
import atexit
import json
import os
import sys
from types import SimpleNamespace

from moobius import Moobius, types

from storage import MoobiusStorage  # instead of the SDK's

CHANNEL = "3f1c0b9e-6a52"


class Bot(Moobius):
    async def on_channel_init(self, channel_id):
        self.channels[channel_id] = MoobiusStorage(self.client_id, channel_id, self.config["db_config"])
        await self.on_channel_checkin(channel_id)

    async def on_channel_checkin(self, channel_id):
        for member_id in await self.fetch_member_ids(channel_id):
            self.channels[channel_id].people[member_id] = await self.fetch_character_profile(member_id)

    async def on_message_up(self, message):
        storage = self.channels[message.channel_id]
        stats = storage.stats.get(message.sender, {"str": 1, "log": []})
        word = message.content.text
        if word == "str":
            stats["str"] += 1
            stats["log"].append(word)
            storage.stats[message.sender] = stats
        elif word == "in place":
            storage.stats[message.sender]["str"] += 10
            storage.stats.save(message.sender)
        elif word == "pop":
            storage.stats.pop(message.sender, default=None)
        elif word == "keep":
            storage.people["button"] = [types.Button("b", "B", types.Dialog(components=[types.InputComponent("l", types.TEXT)]))]
        await self.send_message(f"{sorted(storage.stats.items())} {storage.people.get('button')}", message.channel_id, message.sender, [message.sender])


def as_if_connected(bot, payloads, sent, done):
    async def nothing(*args, **kwargs):
        return None

    async def profile(character):
        return types.Character(character, character.title(), "https://example.org/a.png", "", {"name": character.title()})

    async def group(characters):
        return types.Group("group of " + "_".join(characters), list(characters))

    async def send(message):
        sent.append(message)

    async def receive():
        for payload in payloads:
            await bot.handle_received_payload(json.dumps(payload))
        done.set()
        await asyncio.Event().wait()

    bot.http_api = SimpleNamespace(
        access_token="token",
        authenticate=nothing,
        refresh=nothing,
        fetch_service_id_list=lambda: asyncio.sleep(0, [{"service_id": bot.client_id, "channel_ids": [CHANNEL]}]),
        fetch_channel_group_dict=lambda channel_id, service_id: asyncio.sleep(0, {}),
        fetch_member_ids=lambda channel_id, service_id, raise_empty_list_err: asyncio.sleep(0, ["ann", "bob"]),
        fetch_character_profile=profile,
        create_service_group=group,
        character_ids_of_channel_group=lambda sender_id, channel_id, group_id: asyncio.sleep(0, group_id.split("_")),
    )
    bot.ws_client.connect = nothing
    bot.ws_client.send = send
    bot.ws_client.receive = receive


def message(sender, text):
    body = {"subtype": "text", "channel_id": CHANNEL, "content": {"text": text}, "recipients": "ann_bob", "sender": sender}
    return {"type": "message_up", "request_id": text, "user_id": sender, "body": {**body, "timestamp": 1, "message_id": "m", "context": {}}}


async def live(words):
    dicts = [{"implementation": "json", "load": True, "clear": False, "name": name, "settings": {"root_dir": "db"}} for name in ("stats", "people")]
    service = {"service_id": "sdk-service", "channels": [CHANNEL], "no_warn_cannot_save_service_id": True}
    bot = Bot(account_config={"email": "a@example.org", "password": "p"}, service_config=service, db_config=dicts)
    sent, done = [], asyncio.Event()
    as_if_connected(bot, [message(*word.split(":", 1)) for word in words], sent, done)
    running = asyncio.create_task(bot.start())
    await asyncio.wait([running, asyncio.create_task(done.wait())], return_when=asyncio.FIRST_COMPLETED)
    storage = bot.channels[CHANNEL]
    texts = [each["body"]["content"]["text"] for each in sent if each["type"] == "message_down"]
    people = {key: str(value) for key, value in sorted(storage.people.items())}
    found = {"texts": texts, "people": people, "report": [str(finding) for finding in storage.report], "class": type(storage).__module__}
    return {**found, "mooring": [name for name in sys.modules if name.partition(".")[0] == "mooring"]}


if __name__ == "__main__":
    outcome = asyncio.run(live(sys.argv[1:]))
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")
    sys.stdout.flush()
    atexit._run_exitfuncs()  # what is open is closed as at the end of any program
    os._exit(0)  # the SDK waits for spells in a thread that nothing ends
