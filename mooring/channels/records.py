"""What is kept of a message, and the message again."""

from __future__ import annotations

from typing import Any

import msgspec

from mooring.events import Cause, Down, MessageBody, MessageContent


def message_record(down: Down) -> dict[str, Any]:
    """The fields that are set, by name. The body itself goes on to the members and stays as it is.

    A bot may put anything into the context of a message; what JSON cannot carry raises TypeError here, before the commit.
    """
    body = _set_fields(down.body)
    body["content"] = _set_fields(down.body.content)
    if "context" in body:
        body["context"] = msgspec.to_builtins(body["context"])
    record: dict[str, Any] = {"to": None if down.recipients is None else sorted(down.recipients), "body": body}
    if down.cause is not None:
        record["by"] = [down.cause.request_id, down.cause.member_id, down.cause.reference]
    return record


def body_of(record: dict[str, Any]) -> MessageBody:
    """Raises msgspec.ValidationError and KeyError for what is no record of a message."""
    return msgspec.convert(record["body"], MessageBody)


def recipients_of(record: dict[str, Any]) -> frozenset[str] | None:
    """For whom the message is. Raises KeyError."""
    return None if record["to"] is None else frozenset(record["to"])


def cause_of(record: dict[str, Any]) -> Cause | None:
    """What caused the message."""
    return Cause(*record["by"]) if "by" in record else None


def _set_fields(item: MessageBody | MessageContent) -> dict[str, Any]:
    return {name: value for name, value in vars(item).items() if value is not None}
