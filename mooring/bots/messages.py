"""One message out of the many forms that `send_message` takes, and messages that are more than a text: tables and cards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path, PurePath
from typing import Any

from mooring.bots.picture_size import picture_size
from mooring.channels.sent_files import LocalFile
from mooring.events import AUDIO, CARD, FILE, IMAGE, TABLE, TEXT, Character, MessageBody, MessageContent, copy_with
from mooring.recipients import Everyone

Recipients = str | Character | Iterable[Any]
"""Ids and Characters: one, or any collection of them, which may hold collections in its turn."""

Message = MessageBody | dict[str, Any] | str | PurePath

_IMAGES_OF_SDK = ".ai .bmp .drw .gif .heic .ico .jpe .jpeg .jpg .pct .png .psp .raw .svg .svgz .tif .tiff .webp .xcf"
_SOUNDS_OF_SDK = ".mp3 .mp4 .mp5 .wav"
IMAGE_EXTENSIONS = frozenset(f"{_IMAGES_OF_SDK} .avif".split())
SOUND_EXTENSIONS = frozenset(f"{_SOUNDS_OF_SDK} .aac .flac .m4a .oga .ogg .opus".split())
_CONTENT_FIELDS = frozenset(field.name for field in fields(MessageContent))


def compose(message: Message, *, subtype: str | None = None, file_name: str | None = None, **content: str | None) -> MessageBody:
    """The message that is meant. `content` overrides fields of its MessageContent, where not None.

    A dict may hold the fields of a MessageBody, those of its content beside them. Text that is given as a text with a subtype
    other than `text` is a path or URL; so is a Path. Only a path that comes this way, and not one in a MessageBody, which may be a
    member's, makes a file of this machine one that members can fetch.
    """
    subtype = subtype or (FILE if file_name else None)
    if isinstance(message, MessageBody):
        body = copy_with(message, content=copy_with(message.content), subtype=subtype or message.subtype)
    elif isinstance(message, dict):
        body = _from_dict(message, subtype)
    elif isinstance(message, PurePath) or (subtype not in {None, TEXT}):
        path = os.fspath(message) if isinstance(message, PurePath) else str(message).strip()
        body = MessageBody(subtype or _subtype_of(path), "", _file(path, file_name))
    else:
        body = MessageBody(TEXT, "", MessageContent(text=str(message)))
    for name, value in content.items():
        if value is not None:
            setattr(body.content, name, _place(os.fspath(value)) if name == "path" else value)
    size = picture_size(body.content.path) if body.subtype == IMAGE and isinstance(body.content.path, LocalFile) else None
    if size is not None:
        body.context = {**(body.context or {}), "picture": {"width": size[0], "height": size[1]}}
    return body


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> MessageBody:
    """A table to reply with; the cells are shown as text. Clients that draw no tables show its text form."""
    cells = [[str(cell) for cell in row] for row in rows]
    lines = [title] if title else []
    lines += [" | ".join(row) for row in ([str(column) for column in columns], *cells)]
    context = {"table": {"columns": [str(column) for column in columns], "rows": cells}}
    return MessageBody(TABLE, "", MessageContent(text="\n".join(lines), title=title or None), context=context)


def card(title: str, text: str, link: str | None = None, button: str | None = None) -> MessageBody:
    """A card to reply with; `link` is where its button leads."""
    return MessageBody(CARD, "", MessageContent(title=title, text=text, link=link, button=button))


def ids_of(characters: Recipients) -> Sequence[str]:
    """The ids of characters. Everyone stays Everyone, also as one among others. Raises TypeError for what is no id and no Character."""
    if isinstance(characters, str):
        return [characters]
    if isinstance(characters, Character):
        return [characters.character_id]
    if isinstance(characters, Everyone) and characters.is_everyone:
        return characters
    if not isinstance(characters, Iterable):
        raise TypeError(f"{characters!r:.80} is of type {type(characters).__name__}; expected ids or Characters")
    ids: list[str] = []
    for each in characters:
        if type(each) is str:
            ids.append(each)
            continue
        found = ids_of(each)
        if isinstance(found, Everyone):
            return found
        ids += found
    return ids


def shorten(text: str, limit: int) -> str:
    """The text up to `limit` characters, and how many there were if there were more."""
    return text if len(text) <= limit else f"{text[:limit]}...{len(text)} chars"


def _from_dict(message: dict[str, Any], subtype: str | None) -> MessageBody:
    parts = {name: value for name, value in message.items() if name in _CONTENT_FIELDS}
    inner = message.get("content") or {}
    content = replace(inner) if isinstance(inner, MessageContent) else MessageContent(**{**parts, **inner})
    is_card = content.link is not None and content.button is not None
    kind = subtype or message.get("subtype") or (CARD if is_card else TEXT if content.text is not None else _subtype_of(content.path or ""))
    return MessageBody(
        kind,
        message.get("channel_id") or "",
        content,
        recipients=Everyone() if message.get("recipients") is None else ids_of(message["recipients"]),
        sender=ids_of(message["sender"])[0] if message.get("sender") else "",
        context=message.get("context"),
    )


def _file(path: str, file_name: str | None) -> MessageContent:
    place = _place(path)
    name = file_name or path.replace("\\", "/").rsplit("/", 1)[-1]
    return MessageContent(path=place, filename=name, size=Path(path).stat().st_size if isinstance(place, LocalFile) else None)


def _place(path: str) -> str:
    return LocalFile(path) if "://" not in path and Path(path).is_file() else path


def _subtype_of(path: str) -> str:
    suffix = os.path.splitext(path.lower())[1]  # noqa: PTH122 - it may be a URL
    return IMAGE if suffix in IMAGE_EXTENSIONS else AUDIO if suffix in SOUND_EXTENSIONS else FILE
