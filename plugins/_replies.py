"""Messages that are more than a text: tables and cards. A file is sent as its `Path`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plugins._events import CARD, TABLE, MessageBody, MessageContent


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
