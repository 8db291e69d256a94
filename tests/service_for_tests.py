"""A running service without sockets: a gateway that keeps what it is handed, and members who say things."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic

from typing_extensions import TypeVar

from mooring import ChannelService
from mooring.events import TEXT, Acknowledgement, ButtonClick, Down, MessageBody, MessageContent, SimpleAction, UpBody, UpEvent, UpType


class Recorder:
    """A gateway that keeps everything, in order."""

    address = ""
    kinds: frozenset[str] | None = None

    def __init__(self) -> None:
        self.downs: list[Down] = []
        self.accepts = True

    def stop_accepting(self) -> None:
        self.accepts = False

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        self.downs.extend(downs)

    def texts(self, member: str | None = None, channel: str = "tavern") -> list[str]:
        """The messages that went to this member, or to everybody if None."""
        return [
            down.body.content.text
            for down in self.downs
            if down.type == "message_down"
            and down.channel_id == channel
            and (down.recipients is None or (member is not None and member in down.recipients))
        ]

    def last(self, kind: str, channel: str = "tavern") -> Any:
        """The body of the newest update of one kind."""
        return next(down.body for down in reversed(self.downs) if down.type == kind and down.channel_id == channel)


S = TypeVar("S", bound=ChannelService, default=ChannelService)


class Driver(Generic[S]):
    """Lets members act. Each call is one event with an id of its own, unless `request` names one."""

    _run_number = itertools.count()

    def __init__(self, service: S, recorder: Recorder) -> None:
        self.service = service
        self.recorder = recorder
        self._requests = itertools.count()
        self._run = next(self._run_number)

    async def act(self, kind: UpType, member: str, body: UpBody, channel: str = "tavern", request: str | None = None) -> Acknowledgement:
        return await self.service.submit(UpEvent(kind, request or f"{self._run}-{next(self._requests)}", channel, member, body))

    async def join(self, *members: str, channel: str = "tavern", role: str | None = None) -> None:
        for member in members:
            action = SimpleAction("join", channel, member, {"name": member, "role": role})
            answer = await self.act("join", member, action, channel)
            assert answer.ok, answer

    async def say(self, member: str, text: str, channel: str = "tavern", request: str | None = None, to: Sequence[str] = ()) -> Acknowledgement:
        body = MessageBody(TEXT, channel, MessageContent(text=text), recipients=list(to))
        return await self.act("message_up", member, body, channel, request)

    async def click(self, member: str, button: str, channel: str = "tavern") -> Acknowledgement:
        return await self.act("button_click", member, ButtonClick(button, channel, member), channel)


def json_dicts(root: Path, *names: str) -> list[dict[str, Any]]:
    """A db config that keeps these dicts in one JSON store."""
    return [{"implementation": "json", "name": name, "settings": {"root_dir": str(root)}} for name in names or ("health_bars", "mana_bars")]


@asynccontextmanager
async def running(
    root: Path,
    cls: type[S] = ChannelService,  # type: ignore[assignment]
    *,
    channels: Sequence[Any] = ("tavern",),
    plugins: Sequence[Any] = (),
    db_config: list[dict[str, Any]] | None = None,
    **config: Any,
) -> AsyncIterator[Driver[S]]:
    """A service that keeps its dicts under `root`; further arguments go into its service config, `clock` aside."""
    clock = {"clock": config.pop("clock")} if "clock" in config else {}
    service = cls(
        service_config={"channels": list(channels), "plugins": list(plugins), **config},
        db_config=json_dicts(root) if db_config is None else db_config,
        **clock,
    )
    recorder = Recorder()
    service.attach(recorder)
    await service.start()
    try:
        yield Driver(service, recorder)
    finally:
        await service.stop()
