"""Frames as they cross the wire; the only module that decodes and encodes them.

A frame is a JSON object `{"type", "request_id", "body"}` in a text message.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Raw, Struct

from mooring import DOWN_KINDS, MESSAGE_DOWN, Acknowledgement, CanvasItem, Down, MessageBody, UpEvent, UpType, read_markdown
from mooring.plugins.web.down_schema import CANVAS, Ack, CanvasPiece, ErrorCode, ListDown, MessageDown, Problem
from mooring.plugins.web.formatting import beginning, lines, sections, tries
from mooring.plugins.web.up_schema import UP, EventUp, RequestId, UpFrameBody

log = logging.getLogger(__name__)


class FrameError(Exception):
    """A frame that cannot be taken, with the words for its sender; nothing came of it."""

    def __init__(self, code: ErrorCode, message: str, request_id: str | None = None, *, retry: bool = False) -> None:
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry = retry
        super().__init__(message)


class UnknownFrame(FrameError):
    """A frame of a type that is not one of ours; the service may know it."""

    def __init__(self, kind: str, request_id: str, body: Raw) -> None:
        super().__init__("unknown_type", f"There is no frame of type {kind!r}; expected one of {', '.join(UP)}.", request_id)
        self._kind = kind
        self._body = body

    def payload(self, member_id: str) -> dict[str, Any] | None:
        """The frame as a dict, with who sent it; None if its body cannot be read."""
        try:
            body = msgspec.json.decode(self._body)
        except (msgspec.DecodeError, RecursionError):
            return None
        return {"type": self._kind, "request_id": self.request_id, "user_id": member_id, "body": body}


class UpFrame(Struct):
    """One decoded frame."""

    type: str
    request_id: str
    body: UpFrameBody


class _Envelope(Struct, forbid_unknown_fields=True):
    type: Annotated[str, Meta(max_length=64)]
    request_id: RequestId
    body: Raw = Raw(b"{}")


class _Identified(Struct):
    """Whatever else is wrong with a frame: if this much can be read of it, the answer names the frame."""

    request_id: RequestId


_envelopes = msgspec.json.Decoder(_Envelope)
_identified = msgspec.json.Decoder(_Identified)
_bodies = {name: msgspec.json.Decoder(body) for name, body in UP.items()}


def decode(data: str | bytes) -> UpFrame:
    """The frame in a text message.

    Raises FrameError with what is wrong and where.
    """
    if isinstance(data, bytes):
        raise FrameError("not_text", "Frames are text messages that hold one JSON object.")
    try:
        envelope = _envelopes.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise FrameError("malformed", f"This is no frame: {_reason(error)}.", request_id(data)) from error
    decoder = _bodies.get(envelope.type)
    if decoder is None:
        raise UnknownFrame(envelope.type, envelope.request_id, envelope.body)
    try:
        return UpFrame(envelope.type, envelope.request_id, decoder.decode(envelope.body))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise FrameError("malformed", f"The body of this {envelope.type} does not fit: {_reason(error)}.", envelope.request_id) from error


def _reason(error: Exception) -> str:
    return "too deeply nested" if isinstance(error, RecursionError) else str(error)


def request_id(data: str | bytes) -> str | None:
    """The id of a frame that will not be decoded any further."""
    try:
        return _identified.decode(data).request_id
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def to_event(frame: UpFrame, member_id: str, joining: Mapping[str, Any] | None = None) -> UpEvent:
    """The event that an event frame stands for; `joining` tells the service who a joining member is."""
    if not isinstance(frame.body, EventUp):
        raise TypeError(f"{frame.type} frames are no events")
    body = frame.body.to_body(member_id)
    if joining:
        body.context = dict(joining)
    return UpEvent(cast(UpType, frame.type), frame.request_id, frame.body.channel_id, member_id, body)


_LINES_OF_A_MEMBER = 20
_LINES_OF_THE_SERVICE = 120
"""That are shown at once; a service may list what it has."""


NameOf = Callable[[str], str]
"""Gives the name of a member, empty for a stranger."""


def _nameless(member_id: str) -> str:
    return ""


def to_message(down: Down, name_of: NameOf = _nameless) -> MessageDown:
    """The message that a `message_down` shows."""
    body: MessageBody = down.body
    context = body.context or {}
    asker = down.cause.member_id if down.cause is not None and not body.sender and "command" in context else ""
    entries, offers = sections(context.get("sections")), tries(context.get("tries"))
    text = body.content.text if isinstance(body.content.text, str) else ""
    short = beginning(text, _LINES_OF_A_MEMBER if body.sender else _LINES_OF_THE_SERVICE)
    is_long = len(short) < len(text.rstrip())
    parts = read_markdown(short) or (lines(short) if is_long or offers else None)
    return MessageDown(
        channel_id=down.channel_id,
        number=down.number,
        message_id=body.message_id or f"{down.channel_id}/{down.number}",
        subtype=body.subtype,
        sender=body.sender,
        timestamp=body.timestamp,
        content=body.content,
        sender_name=name_of(body.sender) if body.sender else "",
        private=down.recipients is not None,
        context=body.context,
        asked_by=name_of(asker) if asker else "",
        formatted=entries or (parts + offers if parts else None),
        is_long=is_long and not entries,
    )


def to_piece(item: CanvasItem) -> CanvasPiece:
    """The part of the canvas that an item shows."""
    return CanvasPiece(item.text, item.path, item.bars, read_markdown(item.text) if isinstance(item.text, str) else None)


def encode_down(down: Down, name_of: NameOf = _nameless) -> bytes:
    """The frame for a down. Raises FrameError if it holds something that JSON cannot carry."""
    kind = DOWN_KINDS[down.type]
    if kind.name == MESSAGE_DOWN:
        return encode(kind.name, to_message(down, name_of))
    if kind.name == CANVAS:
        return encode(kind.name, ListDown(down.channel_id, [to_piece(item) for item in down.body]))
    return encode(kind.name, ListDown(down.channel_id, down.body) if kind.is_list else down.body)


def encode_ack(acknowledgement: Acknowledgement) -> bytes:
    """The frame for the service's word on an event."""
    return encode("ack", Ack(acknowledgement.ok, acknowledgement.message, acknowledgement.repeated), acknowledgement.request_id)


def encode_error(error: FrameError) -> bytes:
    """The frame for a frame that was not taken."""
    return encode("error", Problem(error.code, error.message, error.retry), error.request_id)


class _Down(Struct, omit_defaults=True):
    type: str
    body: Any
    request_id: str | None = None


_encoder = msgspec.json.Encoder()


def encode(kind: str, body: Any, request_id: str | None = None) -> bytes:
    """A frame of the given type; `request_id` names the frame that it answers."""
    try:
        return _encoder.encode(_Down(kind, body, request_id))
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise FrameError("unencodable", f"A {kind} holds what JSON cannot carry: {error}", request_id) from error
