"""What is said in a room, as the content of Matrix' events."""

from __future__ import annotations

from typing import Any

import msgspec

from mooring import Formatted, Post, read_markdown
from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.events import KEY
from mooring.plugins.matrix.html import Mentioned, html_of, lines_as_html, mentions_in

LONGEST = 16_000
"""Bytes of text in one message: an event has at most 65,536 of all, and an end of a line or a quotation mark takes two of them."""
_LONGEST_EVENT = 55_000
"""Bytes of a content as JSON; the rest is for what the homeserver adds."""
_LONGEST_FALLBACK = 1_000
"""Letters of an edit that clients see which know no edits."""
_MOST_MENTIONS = 20
_SENDER = "org.mooring.sender"
"""It tells programs who said something."""
_BLOCKS = frozenset({"ul", "ol", "blockquote", "pre"})


def content_of(post: Post, key: str, mentioned: Mentioned) -> dict[str, Any]:
    """The content of a message or an edit.

    What a member said is a text, and what the service says a notice, which other bots do not answer. It mentions those whom its Markdown
    mentions and nobody else: clients that would look for names in the text are told not to by `m.mentions`.
    """
    parts = read_markdown(post.text)
    said = _said(post, parts, mentioned)
    said["m.mentions"] = _mentions(parts, mentioned)
    if len(msgspec.json.encode(said)) > _LONGEST_EVENT:
        said = {name: value for name, value in said.items() if name not in {"format", "formatted_body"}}
    marks = {KEY: key, **({_SENDER: post.sender} if post.sender else {})}
    if post.kind == "edit":
        fallback = {"msgtype": said["msgtype"], "body": f"* {said['body'][:_LONGEST_FALLBACK]}", "m.mentions": {}}
        return {**fallback, **marks, "m.new_content": said, "m.relates_to": {"rel_type": "m.replace", "event_id": post.earlier}}
    answered = {"m.relates_to": {"m.in_reply_to": {"event_id": post.reply_to}}} if _is_event_id(post.reply_to) else {}
    return {**said, **marks, **answered}


def has_key(event: Event, key: str) -> bool:
    """Whether this is what was sent with a key."""
    content = event.get("content")
    return isinstance(content, dict) and content.get(KEY) == key


def _said(post: Post, parts: tuple[Formatted, ...] | None, mentioned: Mentioned) -> dict[str, Any]:
    if not post.sender:
        plain: dict[str, Any] = {"msgtype": "m.notice", "body": post.text}
        return plain if parts is None else {**plain, "format": "org.matrix.custom.html", "formatted_body": html_of(parts, mentioned)}
    is_block = bool(parts) and parts is not None and parts[0].tag in _BLOCKS
    html = lines_as_html(post.text) if parts is None else html_of(parts, mentioned)
    return {
        "msgtype": "m.text",
        "body": f"{post.sender}:{chr(10) if is_block else ' '}{post.text}",
        "format": "org.matrix.custom.html",
        "formatted_body": f"<strong>{lines_as_html(post.sender)}:</strong>{'' if is_block else ' '}{html}",
    }


def _mentions(parts: tuple[Formatted, ...] | None, mentioned: Mentioned) -> dict[str, Any]:
    users = sorted(mentions_in(parts or (), mentioned))[:_MOST_MENTIONS]
    return {"user_ids": users} if users else {}


def _is_event_id(text: str) -> bool:
    return text.startswith("$") and len(text) <= 255 and text.isprintable() and " " not in text
