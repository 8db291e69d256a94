"""One process of the Redis benchmark: a service without sockets, and members who send a command when the last was answered."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from mooring import ChannelService
from mooring.events import TEXT, MessageBody, MessageContent, SimpleAction, UpEvent

MEMBERS = 10


class Bot(ChannelService):
    """Each message takes health and mana, and is answered."""

    async def on_message_up(self, message: MessageBody) -> None:
        storage = self.channels[message.channel_id]
        storage.health[message.sender] = storage.health.get(message.sender, 100) - 1
        storage.mana[message.sender] = storage.mana.get(message.sender, 100) + 1
        await self.send_message(f"{message.sender} has {storage.health[message.sender]}", message.channel_id)


def work(port: int, channel: str, seconds: float) -> None:
    """Print `ready`, wait for a line, work, and print what was done."""
    asyncio.run(_work(port, channel, seconds))


async def _work(port: int, channel: str, seconds: float) -> None:
    db = [{"implementation": "redis", "name": name, "settings": {"host": "localhost", "port": port}} for name in ("health", "mana")]
    service = Bot(service_config={"service_id": "bench", "channels": [channel]}, db_config=db)
    await service.start()
    names = [f"{id(service)}-{number}" for number in range(MEMBERS)]
    for name in names:
        await service.submit(UpEvent("join", f"join {name}", channel, name, SimpleAction("join", channel, name, {"name": name})))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_member(service, channel, name, until) for name in names))
    print(json.dumps({"commands": sum(counts), "seconds": seconds}), flush=True)
    await service.stop()


async def _member(service: Bot, channel: str, name: str, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        body = MessageBody(TEXT, channel, MessageContent(text="hit"))
        answer = await service.submit(UpEvent("message_up", f"{count}", channel, name, body))
        assert answer.ok, answer
        count += 1
    return count
