"""Moves gold between channels, with refusals and faults on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel

from mooring import ChannelMessage, CommandError, Context, Service

BEGINNING = 1000


class Config(BaseModel):
    moves: int
    """How many each channel makes, however often the service is started."""


def _gold(ctx: Context) -> int:
    total: int = ctx.storage.gold.get("total", BEGINNING)
    return total


async def on_channel_message(ctx: Context, message: ChannelMessage) -> None:
    ctx.storage.gold["total"] = _gold(ctx) + message.body["gold"]
    ctx.storage.seen[message.id] = ctx.storage.seen.get(message.id, 0) + 1
    if message.body["refuse"]:
        raise CommandError("not here")


async def on_channel_message_returned(ctx: Context, message: ChannelMessage) -> None:
    ctx.storage.gold["total"] = _gold(ctx) + message.body["gold"]
    ctx.storage.seen[message.id] = ctx.storage.seen.get(message.id, 0) + 1


@asynccontextmanager
async def lifespan(service: Service, config: Config) -> AsyncIterator[None]:
    for channel_id in service.channel_ids():
        service.spawn(_move(service, channel_id, config.moves), name="moving gold")
    yield


async def _move(service: Service, channel_id: str, moves: int) -> None:
    others = [other for other in service.channel_ids() if other != channel_id]

    async def once(ctx: Context) -> int:
        made: int = ctx.storage.gold.get("moves", 0)
        if made < moves:
            amount = random.randint(1, 20)
            ctx.storage.gold["total"] = _gold(ctx) - amount
            ctx.storage.gold["moves"] = made + 1
            ctx.send_to(random.choice(others), {"gold": amount, "refuse": random.random() < 0.2})
        return made + 1

    while await service.in_channel(channel_id, once) < moves:
        await asyncio.sleep(0.002)
