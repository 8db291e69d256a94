"""The helpers that the Moobius SDK has beside its types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from mooring.bots.messages import Message, Recipients, compose, ids_of, shorten
from mooring.events import Character
from mooring.kinds import update_kind
from mooring.recipients import Everyone
from mooring.types.bodies import Payload, UpdateBody, UpdateItem
from mooring.types.words import (
    MESSAGE_DOWN,
    UPDATE_BUTTONS,
    UPDATE_CANVAS,
    UPDATE_CHANNEL_INFO,
    UPDATE_CHARACTERS,
    UPDATE_MENU,
    UPDATE_STYLE,
)

Class = TypeVar("Class", bound=type)

_FIELDS = {
    UPDATE_CHARACTERS: "character",
    UPDATE_CHANNEL_INFO: "channel_info",
    UPDATE_CANVAS: "canvas_item",
    UPDATE_BUTTONS: "button",
    UPDATE_STYLE: "style_item",
    UPDATE_MENU: "menu_item",
}
"""Which field of an UpdateItem belongs to which update."""


def limit_len(txt: str, n: int) -> str:
    """The first `n` characters of a text, and how many there were if there were more."""
    return shorten(txt, n)


def to_char_id_list(c: Recipients) -> list[str]:
    """The ids of characters that are given as ids or as Characters, one or many."""
    return list(ids_of(c))


def assert_strs(*strs: object) -> tuple[object, ...]:
    """The arguments as they are. Raises TypeError if one is no str."""
    for place, each in enumerate(strs):
        if not isinstance(each, str):
            raise TypeError(f"argument {place} is a {type(each).__name__} and no str: {each!r:.80}")
    return strs


def add_str_method(cls: Class) -> Class:
    """A decorator of a dataclass: let `str` and `repr` show only those fields that differ from their defaults."""

    def shown(self: Any) -> str:
        given = [(field, getattr(self, field.name)) for field in dataclasses.fields(self)]
        return f"{type(self).__name__}({', '.join(f'{field.name}={value}' for field, value in given if value != field.default)})"

    cls.__str__ = cls.__repr__ = shown  # type: ignore[assignment,method-assign]
    return cls


def normalize_message(  # noqa: PLR0917 - the order of the SDK's arguments
    message: Message,
    channel_id: str | None = None,
    sender: str | Character | None = None,
    recipients: Recipients | None = None,
    subtype: str | None = None,
    len_limit: int | None = None,
    file_display_name: str | None = None,
    context: dict[str, Any] | None = None,
    text: str | None = None,
    link: str | None = None,
    title: str | None = None,
    button: str | None = None,
    path: str | None = None,
) -> dict[str, Any]:
    """What `send_message` makes of its arguments: a dict with `subtype`, `content` (a MessageContent), and what else was given."""
    body = compose(message, subtype=subtype, file_name=file_display_name, text=text, path=path, link=link, title=title, button=button)
    if len_limit and body.content.text:
        body.content.text = shorten(body.content.text, len_limit)
    to = recipients
    if to is None and not (isinstance(body.recipients, Everyone) and not body.recipients):
        to = body.recipients
    given = {
        "channel_id": channel_id or body.channel_id or None,
        "sender": ids_of(sender)[0] if sender else body.sender or None,
        "recipients": to,
        "context": context or body.context,
    }
    return {"subtype": body.subtype, "content": body.content, **{name: value for name, value in given.items() if value is not None}}


def as_update_body(payload_body: Mapping[str, Any]) -> UpdateBody:
    """An UpdateBody from a dict of its fields, whose `content` is a list of dicts, or of an update of characters `{"characters": [...]}`.

    Raises ValueError if there is no such update.
    """
    kind = update_kind(payload_body["subtype"])
    content = payload_body["content"]
    if kind.name == UPDATE_CHARACTERS and isinstance(content, Mapping):
        content = [{"character_id": each} if isinstance(each, str) else each for each in content["characters"]]
        content = [{"name": each["character_id"], **each} for each in content]
    items: Sequence[Any] = kind.body_of(content) if kind.is_list else [kind.body_of(content)]
    fields = {**payload_body, "recipients": payload_body.get("recipients") or []}
    return UpdateBody(**{**fields, "content": [_update_item(kind.name, item) for item in items]})


def payload_as_dict(payload_type: str, payload_body: Any, client_id: str, the_uuid: str) -> dict[str, Any]:
    """A payload as it would go over the platform's socket."""
    if isinstance(payload_body, dict):
        payload = {"type": payload_type, "request_id": the_uuid, "character_id": client_id, "body": payload_body}
    else:
        payload = dataclasses.asdict(Payload(payload_type, the_uuid, client_id, payload_body))
    return {**payload, "service_id": client_id} if payload_type == MESSAGE_DOWN else payload


def _update_item(kind: str, item: Any) -> UpdateItem:
    fields: dict[str, Any] = dict.fromkeys(_FIELDS.values())
    return UpdateItem(**{**fields, _FIELDS[kind]: item})
