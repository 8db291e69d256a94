"""A gateway to the rooms of the tests' own server, and what a test has a bot do there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel

from mooring import Abilities, Answer, Context, Later, Post, Refused, Rest, Sent, Service, Unsure, command
from mooring.gateways.marks import Mark, Marks


class Config(BaseModel):
    port: int
    network: str = "rooms"
    key_seconds: float = 0
    find: bool = False
    edit: bool = True
    private: bool = False
    longest: int = 0
    count_to: int = 0
    """Every channel says this many numbers, one event each, however often the service is started."""
    die: str = ""
    """`PLACE COUNT`: the process ends at once when it comes to that place for so many times. Places are before, after and noted."""


class Rooms:
    """One connection; what cannot be sent before it was written was certainly not taken."""

    address = ""

    def __init__(self, config: Config) -> None:
        self.network = config.network
        self._config = config
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._left = int(config.die.split()[1]) if config.die else 0
        self.sent = 0

    def stop_accepting(self) -> None: ...

    def abilities(self, room: str) -> Abilities:
        config = self._config
        return Abilities(
            once_by_key=config.key_seconds,
            find=config.find,
            edit=config.edit,
            delete=config.edit,
            private=config.private,
            longest_text=config.longest,
        )

    async def send(self, room: str, post: Post, key: str) -> Answer:
        self.die("before")
        told = {"do": "send", "room": room, "key": key, "kind": post.kind, "text": post.text, "sender": post.sender}
        more = {"earlier": post.earlier, "reply_to": post.reply_to, "users": sorted(post.users) if post.users is not None else None}
        try:
            answer = await self._ask({**told, **more})
        except ConnectionRefusedError as error:
            return Later(0.05, str(error))
        except OSError as error:
            return Unsure(str(error))
        self.die("after")
        if "later" in answer:
            return Later(answer["later"], "it is away")
        return Refused(answer["refused"]) if "refused" in answer else Sent(answer["id"])

    async def find(self, room: str, key: str) -> str | Later | None:
        try:
            found: str | None = (await self._ask({"do": "find", "room": room, "key": key}))["id"]
        except OSError as error:
            return Later(0.05, str(error))
        return found

    def die(self, place: str) -> None:
        if self._config.die.startswith(place):
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        async with self._one_at_a_time:
            if self._line is None:
                self._line = await asyncio.open_connection("127.0.0.1", self._config.port)
            reader, writer = self._line
            try:
                writer.write(json.dumps(question).encode() + b"\n")
                answer = await reader.readline()
                if not answer.endswith(b"\n"):
                    raise ConnectionResetError("no answer came")
            except BaseException:
                self.close()
                raise
            found: dict[str, Any] = json.loads(answer)
            return found

    def close(self) -> None:
        if self._line is not None:
            self._line[1].transport.abort()
            self._line = None


@asynccontextmanager
async def lifespan(service: Service, config: Config) -> AsyncIterator[Rooms]:
    rooms = Rooms(config)
    setattr(Marks, "change", _dying_after_it(Marks.change, rooms))  # noqa: B010 - of a class that is not ours to change
    service.attach(rooms)
    for channel_id in service.channel_ids():
        service.spawn(_count(service, channel_id, config.count_to), name="counting")
    try:
        yield rooms
    finally:
        service.detach(rooms)
        rooms.close()


def _dying_after_it(change: Callable[..., Awaitable[Mark]], rooms: Rooms) -> Callable[..., Awaitable[Mark]]:
    """The place of which no gateway hears: when what became of a message was noted."""

    async def changed(*arguments: Any) -> Mark:
        mark = await change(*arguments)
        rooms.die("noted")
        return mark

    return changed


async def _count(service: Service, channel_id: str, end: int) -> None:
    async def say_next(ctx: Context) -> int:
        number: int = ctx.storage.counter.get("number", 0)
        if number < end:
            ctx.storage.counter["number"] = number + 1
            ctx.reply(f"m{number + 1}")
        return number + 1

    while await service.in_channel(channel_id, say_next) < end:
        await asyncio.sleep(0)


@command
def say(ctx: Context, text: Rest) -> str:
    """Say something."""
    return text
