"""Payloads in the platform's words, and the events that they are here."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from mooring.events import ButtonClick, ClickArgument, MenuItemClick, MessageBody, MessageContent, SimpleAction, UpBody, UpEvent, UpType
from mooring.kinds import MESSAGE_DOWN
from mooring.recipients import Everyone
from mooring.types import ACTION, BUTTON_CLICK, JOIN, LEAVE_CHANNEL, MENU_ITEM_CLICK, MESSAGE_UP, REFRESH, UPDATE

_ACTIONS: Mapping[str, UpType] = {
    JOIN: "join",
    LEAVE_CHANNEL: "leave",
    REFRESH: "refresh",
    "join_channel": "join",
    "leave_channel": "leave",
    BUTTON_CLICK: "button_click",
    MENU_ITEM_CLICK: "menu_item_click",
}


def up_event(payload: Mapping[str, Any], recipients: list[str] | None) -> UpEvent | None:
    """The event that a payload is, None if it is none. Raises KeyError and TypeError for one that lacks something."""
    kind, body = payload.get("type"), dict(payload.get("body") or {})
    if kind == MESSAGE_UP:
        event_type: UpType = "message_up"
    elif kind == REFRESH:
        event_type, body["subtype"] = "refresh", REFRESH
    elif kind == ACTION and body.get("subtype") in _ACTIONS:
        event_type = _ACTIONS[body["subtype"]]
    else:
        return None
    member_id = str(body.get("sender") or payload.get("user_id") or payload["character_id"])
    typed = _message(body, member_id, recipients) if event_type == "message_up" else action_of({**body, "subtype": event_type, "sender": member_id})
    return UpEvent(event_type, str(payload.get("request_id") or uuid.uuid4()), typed.channel_id, member_id, typed)


def action_of(fields: Mapping[str, Any]) -> ButtonClick | MenuItemClick | SimpleAction:
    """An action from a dict of its fields. Raises KeyError and TypeError."""
    given = dict(fields)
    if given.get("arguments"):
        given["arguments"] = [ClickArgument(**each) if isinstance(each, Mapping) else each for each in given["arguments"]]
    if given["subtype"] == BUTTON_CLICK:
        return ButtonClick(**given)
    if given["subtype"] == MENU_ITEM_CLICK:
        content = given["message_content"]
        return MenuItemClick(**{**given, "message_content": MessageContent(**content) if isinstance(content, Mapping) else content})
    return SimpleAction(**given)


def action_fields(action: ButtonClick | MenuItemClick | SimpleAction) -> dict[str, Any]:
    """What `on_action` gets: the fields of an action, its parts as dicts, too."""
    return dataclasses.asdict(action)


def message_payload(service_id: str, body: MessageBody, to: Any) -> dict[str, Any]:
    """What the platform would be sent for a message."""
    content = {name: value for name, value in vars(body.content).items() if value is not None}
    fields = {"subtype": body.subtype, "channel_id": body.channel_id, "content": content, "recipients": list(to), "timestamp": body.timestamp}
    return _payload(MESSAGE_DOWN, service_id, {**fields, "context": body.context or {}, "sender": body.sender or "no_sender"})


def update_payload(service_id: str, kind: str, channel_id: str, content: Any, to: Any) -> dict[str, Any]:
    """What the platform would be sent for an update."""
    items = [dataclasses.asdict(item) if dataclasses.is_dataclass(item) and not isinstance(item, type) else item for item in content]
    return _payload(UPDATE, service_id, {"subtype": kind, "channel_id": channel_id, "recipients": list(to), "content": items, "context": {}})


def _payload(kind: str, service_id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "request_id": str(uuid.uuid4()), "service_id": service_id, "body": body}


def _message(body: Mapping[str, Any], member_id: str, recipients: list[str] | None) -> UpBody:
    content = body["content"]
    return MessageBody(
        body["subtype"],
        body["channel_id"],
        MessageContent(**content) if isinstance(content, Mapping) else content,
        recipients=Everyone() if recipients is None else recipients,
        sender=member_id,
        context=body.get("context"),
    )
