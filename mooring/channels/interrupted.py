"""Messages that are shown while somebody still writes them (bars of progress, streamed texts), as they would be if the process died now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from mooring.channels.system_dicts import UNFINISHED
from mooring.channels.turn import Turn
from mooring.events import PROGRESS, MessageBody, copy_with
from storage import MoobiusStorage

log = logging.getLogger(__name__)


def keep_unfinished(storage: MoobiusStorage, writer: str, body: MessageBody) -> None:
    """Note what process `writer` shows, for whoever opens the channel next. In a transaction."""
    kept = msgspec.to_builtins(copy_with(body, recipients=[]))
    UNFINISHED.of(storage)[body.message_id or ""] = {"by": writer, "body": kept}


def forget_unfinished(storage: MoobiusStorage, message_id: str | None) -> None:
    """It has come to its end. In a transaction."""
    UNFINISHED.of(storage).pop(message_id or "", None)


def unfinished(storage: MoobiusStorage, is_alive: Callable[[str], bool]) -> list[str]:
    """The ids of the messages whose writers are no more."""
    return [message_id for message_id, kept in UNFINISHED.of(storage).items() if not is_alive(str(kept["by"]))]


def tell_interrupted(turn: Turn, message_ids: Iterable[str]) -> None:
    """Put these messages into the channel as far as they got, and say that nothing more will come. In a turn."""
    stored = UNFINISHED.of(turn.storage)
    for message_id in message_ids:
        kept = stored.pop(message_id, None)
        if kept is not None:
            try:
                turn.sends.message(_interrupted(msgspec.convert(kept["body"], MessageBody)))
            except msgspec.ValidationError as error:
                log.warning("the unfinished message %s of channel %s cannot be read and is left out: %s", message_id, turn.channel_id, error)


def _interrupted(body: MessageBody) -> MessageBody:
    context: dict[str, Any] = {**(body.context or {}), "interrupted": True}
    if body.subtype == PROGRESS and isinstance(facts := context.get("progress"), dict):
        context["progress"] = {**facts, "label": f"{facts.get('label', '')} (interrupted)"}
    return copy_with(body, content=copy_with(body.content, text=f"{body.content.text or ''} (interrupted)"), context=context)
