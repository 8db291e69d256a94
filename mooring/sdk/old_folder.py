"""Reading what the SDK's JSONDatabase kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from mooring.sdk.marks import UnknownClass, restore
from mooring.service.old_data import OldDict
from storage.encoding import codec
from storage.errors import ValueRefused


@dataclass(frozen=True)
class OldContent:
    """What the files of one dict hold."""

    texts: Mapping[str, bytes]
    """The values, encoded as storage does it, by key."""
    unreadable: Mapping[str, str]
    """Why a file cannot be read, or its value cannot be kept, by key."""


def read_old_dict(old: OldDict, classes: Mapping[str, type]) -> OldContent:
    """Read every file of a dict. `classes` are those that marks in the files may name."""
    texts, unreadable = {}, {}
    for key, file in old.files().items():
        try:
            texts[key] = codec.encode(restore(json.loads(file.read_bytes().decode("utf-8-sig")), classes))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            unreadable[key] = f"{file}: {_why(error)}"
    return OldContent(texts, unreadable)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    if isinstance(error, json.JSONDecodeError):
        return f"is damaged: {error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"is damaged: byte 0x{error.object[error.start]:02x} at {error.start} is not UTF-8"
    if isinstance(error, UnknownClass):
        return f"holds a {error.class_name}, which is not known here; let the bot's module register it, and name that with --module"
    if isinstance(error, ValueRefused):
        return f"cannot be kept: {error}"
    return "nests too deep" if isinstance(error, RecursionError) else str(error)
