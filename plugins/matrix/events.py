"""What an event of a room is to the channel."""

from __future__ import annotations

import re

from mooring import Left, Said
from mooring.plugins.matrix.answers import Event

KEY = "org.mooring.key"
"""In the content of what a gateway like this one sent: by it a message is found again."""
_FILES = {"m.image": "a picture", "m.video": "a video", "m.audio": "a sound", "m.file": "a file"}
_QUOTED = re.compile(r"\A(?:> .*\n)+\n")
"""What some clients put before an answer for those that cannot show what it answers."""
_GONE = ("leave", "ban")


def what_happened(event: Event, own_user: str) -> tuple[str, Said | Left] | None:
    """Who did what; None for what the channel has nothing to do with.

    That is all that the bot itself does, edits (a command that is changed afterwards is not run again), what was taken back,
    and notices and what another gateway like this one passed on, so that no two bots answer each other for ever.
    """
    sender, content = event.get("sender"), event.get("content")
    if not isinstance(sender, str) or not sender or not isinstance(content, dict) or not isinstance(event.get("event_id"), str):
        return None
    if event.get("type") == "m.room.member":
        user = event.get("state_key")
        if not isinstance(user, str) or user in {"", own_user} or _before(event).get("membership") != "join":
            return None
        return (user, Left()) if content.get("membership") in _GONE else None
    if event.get("type") != "m.room.message" or sender == own_user:
        return None
    text = _text(content)
    return (sender, Said.text(text)) if text else None


def is_joining(event: Event, user: str) -> bool:
    """Whether somebody came into the room by this, and not only changed their name."""
    content = event.get("content")
    is_join = event.get("type") == "m.room.member" and isinstance(content, dict) and content.get("membership") == "join"
    return is_join and event.get("state_key") == user and _before(event).get("membership") != "join"


def answered_by(event: Event) -> str:
    """The id of the event to which this answers; empty if it does not."""
    content = event.get("content")
    relation = content.get("m.relates_to") if isinstance(content, dict) else None
    answered = relation.get("m.in_reply_to") if isinstance(relation, dict) else None
    event_id = answered.get("event_id") if isinstance(answered, dict) else None
    return event_id if isinstance(event_id, str) else ""


def seconds_of(event: Event) -> float:
    """When it was, in seconds since 1970, as its sender's server says; 0 if that is nonsense."""
    at = event.get("origin_server_ts")
    return at / 1000 if isinstance(at, int) and 0 < at < 2**53 else 0.0


def named_in(event: Event) -> tuple[str, str] | None:
    """Whose name the event tells, and which."""
    content, user = event.get("content"), event.get("state_key")
    if event.get("type") != "m.room.member" or not isinstance(content, dict) or not isinstance(user, str):
        return None
    name = content.get("displayname")
    return (user, name if isinstance(name, str) else "") if content.get("membership") == "join" else None


def _text(content: Event) -> str:
    body, kind = content.get("body"), content.get("msgtype")
    relation = content.get("m.relates_to")
    relation = relation if isinstance(relation, dict) else {}
    if not isinstance(body, str) or not body.strip() or relation.get("rel_type") == "m.replace" or KEY in content:
        return ""
    if "m.in_reply_to" in relation:
        body = _QUOTED.sub("", body)
    if kind == "m.text":
        return body
    if kind == "m.emote":
        return f"* {body}"
    # Never by its name alone, which may look like a command.
    return f"sent {_FILES[kind]}: {body}" if isinstance(kind, str) and kind in _FILES else ""


def _before(event: Event) -> Event:
    unsigned = event.get("unsigned")
    before = unsigned.get("prev_content") if isinstance(unsigned, dict) else None
    return before if isinstance(before, dict) else {}
