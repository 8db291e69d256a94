"""The operator's commands in a channel; see `mooring.control.commands`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from mooring.control.commands import ControlCommand
from mooring.errors import CommandError
from mooring.events import TEXT, Acknowledgement, Cause, Character, Down, MessageBody, MessageContent, SimpleAction, UpBody, UpEvent, UpType
from mooring.protocols import Gateway, NetworkGateway, ServiceError
from mooring.text import clip, suggestion

log = logging.getLogger("service")

OPERATOR = "operator"
"""The id and the name under which the operator is in a channel while the console is open."""

_MOST_CHARACTERS = 200_000
"""Of all replies to one command, so that they are one line on the control socket, whatever they hold."""


class HasChannels(Protocol):
    """A running service."""

    def channel_ids(self) -> Sequence[str]: ...

    def members(self, channel_id: str) -> Mapping[str, Character]: ...

    def attach(self, gateway: Gateway | NetworkGateway) -> None: ...

    def detach(self, gateway: Gateway | NetworkGateway) -> None: ...

    async def submit(self, event: UpEvent) -> Acknowledgement: ...


class _Replies:
    """A gateway that keeps what the operator is answered."""

    kinds: Collection[str] = frozenset({"message_down"})
    address = ""

    def __init__(self, cause: Cause) -> None:
        self._cause = cause
        self.texts: list[str] = []

    def stop_accepting(self) -> None:
        """There is no door."""

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Keep what was caused by the event, and is for its sender, too."""
        mine = [down.body for down in downs if down.cause == self._cause and (down.recipients is None or OPERATOR in down.recipients)]
        self.texts += [body.content.text or f"({body.subtype})" for body in mine if body.sender != OPERATOR]


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A command in a channel."""

    channel_id: str
    line: str


class Channel(msgspec.Struct, forbid_unknown_fields=True):
    """One channel."""

    channel_id: str


async def _run(service: HasChannels, asked: Line) -> dict[str, Any]:
    line = asked.line.strip()
    if not line.startswith("/"):
        raise CommandError("The console takes commands, which begin with /; /help lists them.")
    _check(service, asked.channel_id)
    if OPERATOR not in service.members(asked.channel_id):
        action = SimpleAction("join", asked.channel_id, OPERATOR, {"name": OPERATOR, "role": "owner", "given": True})
        joined = await _submit(service, "join", asked.channel_id, action)
        if not joined[0].ok:
            raise CommandError(joined[0].message)
    log.info("the operator runs %s in channel %s", clip(line.split()[0], 50), asked.channel_id)
    answer, replies = await _submit(service, "message_up", asked.channel_id, MessageBody(TEXT, asked.channel_id, MessageContent(text=line)))
    return {"ok": answer.ok, "message": clip(answer.message, 1000), "replies": list(_bounded(replies))}


async def _leave(service: HasChannels, asked: Channel) -> None:
    _check(service, asked.channel_id)
    if OPERATOR in service.members(asked.channel_id):
        await _submit(service, "leave", asked.channel_id, SimpleAction("leave", asked.channel_id, OPERATOR))


def _check(service: HasChannels, channel_id: str) -> None:
    if channel_id not in service.channel_ids():
        raise CommandError(f"No channel {clip(channel_id)} is open here.{suggestion(channel_id, service.channel_ids())}")


async def _submit(service: HasChannels, kind: UpType, channel_id: str, body: UpBody) -> tuple[Acknowledgement, list[str]]:
    event = UpEvent(kind, uuid.uuid4().hex, channel_id, OPERATOR, body)
    with _hearing(service, event.cause) as heard:
        try:
            return await service.submit(event), heard.texts
        except ServiceError as error:
            raise CommandError(str(error)) from error


@contextmanager
def _hearing(service: HasChannels, cause: Cause) -> Iterator[_Replies]:
    replies = _Replies(cause)
    service.attach(replies)
    try:
        yield replies
    finally:
        service.detach(replies)


def _bounded(texts: Sequence[str]) -> Iterator[str]:
    left = _MOST_CHARACTERS
    for number, text in enumerate(texts):
        if len(text) > left:
            yield f"{text[:left]}... ({len(texts) - number - 1} more messages; the rest is in the channel)"
            return
        yield text
        left -= len(text)


CONSOLE_COMMANDS: tuple[ControlCommand[HasChannels], ...] = (
    ControlCommand("console run", Line, _run),
    ControlCommand("console leave", Channel, _leave),
)
