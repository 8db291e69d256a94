"""What goes from one channel to another, in the form in which it is kept in an outbox."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec

from mooring.channel_messages import ChannelMessage
from mooring.channels.outbox_entries import Parcel
from mooring.channels.records import body_of, message_record, recipients_of
from mooring.channels.sends import Sends
from mooring.channels.sent_files import LocalFile
from mooring.events import Down, MessageBody
from mooring.kinds import DOWN_KINDS, MESSAGE_DOWN
from mooring.recipients import Everyone
from mooring.rooms import OTHER_CHANNELS, Room
from storage.encoding import codec


def parcel_for_channel(channel_id: str, event: dict[str, Any]) -> Parcel:
    """An entry for the outbox. Raises ValueRefused for what cannot be kept, as any dict would."""
    codec.encode(event)
    return Parcel((Room(OTHER_CHANNELS, channel_id),), {"event": event}, f"{random.getrandbits(64):016x}")


def record_of(what: object) -> dict[str, Any]:
    """A message, or any other value, as it is kept."""
    if not isinstance(what, MessageBody):
        return {"value": what}
    to = None if isinstance(what.recipients, Everyone) and what.recipients.is_everyone else frozenset(what.recipients)
    return {"message": _kept(Down(MESSAGE_DOWN, what.channel_id, what, to))}


def message_of(letter_id: str, channel_id: str, to: str, event: dict[str, Any], reason: str = "") -> ChannelMessage:
    """What the hooks are given. Raises KeyError and msgspec.ValidationError for what is not readable."""
    body: Any = event.get("value")
    if "message" in event:
        body = _message(event["message"])
        recipients = recipients_of(event["message"])
        body.recipients = Everyone() if recipients is None else sorted(recipients)
    return ChannelMessage(letter_id, channel_id, to, body, event.get("plugin", ""), event.get("member", ""), reason)


def record_of_downs(downs: Sequence[Down]) -> dict[str, Any]:
    """What the senders of a service made for another channel, as it is kept."""
    return {"downs": [_kept(down) if down.type == MESSAGE_DOWN else _kept_update(down) for down in downs]}


def send_downs(event: dict[str, Any], sends: Sends) -> None:
    """Send in the other channel what was made for it."""
    for kept in event["downs"]:
        if "kind" in kept:
            kind = DOWN_KINDS[kept["kind"]]
            body = None if kept["body"] is None else msgspec.convert(kept["body"], kind.body)
            sends.update(kind, body, kept["to"], slot=kept["slot"])
        else:
            body = _message(kept)
            sends.message(body, kept["to"], timestamp=body.timestamp)


def _kept_update(down: Down) -> dict[str, Any]:
    to = None if down.recipients is None else sorted(down.recipients)
    return {"kind": down.type, "body": msgspec.to_builtins(down.body), "to": to, "slot": down.slot}


def _kept(down: Down) -> dict[str, Any]:
    # That a path is of a file of ours is in its type, which no dict keeps.
    record = message_record(down)
    record["body"]["recipients"] = []
    return {**record, "file": isinstance(down.body.content.path, LocalFile)}


def _message(kept: dict[str, Any]) -> MessageBody:
    body = body_of(kept)
    if kept["file"] and body.content.path is not None:
        body.content.path = LocalFile(body.content.path)
    return body
