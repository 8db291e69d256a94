"""What goes over the control socket: one line of JSON each way, and no more on one connection."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

MOST_BYTES = 1_000_000
"""Of one line."""


class Request(Struct, forbid_unknown_fields=True):
    """A command with its arguments, which the command's own class reads."""

    command: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


Failure = Literal["malformed", "unknown", "refused", "failed"]
"""Not to be read; no such command; turned down, and nothing was changed; something went wrong."""


class Response(Struct, omit_defaults=True):
    """The result, or why there is none; the text is for whoever typed the command."""

    ok: bool
    result: Any = None
    failure: Failure | None = None
    message: str = ""


def encode(message: Request | Response) -> bytes:
    """A line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=Request)


def decode_response(line: bytes) -> Response:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=Response)
