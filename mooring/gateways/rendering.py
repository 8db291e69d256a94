"""What is said, as text that a room can show: with nothing in it that calls everybody, or breaks out of its place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from mooring.events import CARD, FILE, MessageBody
from mooring.posts import TextUnit

_CALLS_EVERYBODY = re.compile(r"@(?=(?:everyone|everybody|here|room|channel|all)\b)", re.IGNORECASE)
_DEFUSED = "@\u2060"
"""With a word joiner behind it, which is drawn as nothing, and by which no network takes the word for a mention."""

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn around what comes after them, beyond the end of the text."""

_FENCE = re.compile(r"^```([^\n`]*)$", re.MULTILINE)
_FENCED_AT_LEAST = 50
"""Where less than this fits into one piece, blocks of code are not opened and closed again."""
_GOOD_PLACES = (("\n\n", 0), ("\n", 0), (". ", 1), (" ", 0))
"""Where a text is split, the best first, and how much of the place stays with what is before it."""
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_LONGEST_CLUSTER = 30
ELLIPSIS = "…"

_SIZES: Mapping[TextUnit, Callable[[str], int]] = {
    "letters": len,
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}


def text_of(body: MessageBody) -> str:
    """A message as text, whatever it is: a card with its link, a file by its name and address, a table as lines."""
    content = body.content
    parts = [content.text]
    if body.subtype == CARD:
        parts = [content.title, content.text, content.link]
    elif content.path:
        address = content.path if content.path.startswith(("http://", "https://")) else None
        parts = [content.text, content.filename or (FILE if address is None else None), address]
    return harmless("\n".join(part for part in parts if part))


def harmless(text: str) -> str:
    """The text without letters that are signs to a terminal or turn lines around, and with no word that calls everybody in a room."""
    kept = (letter for letter in text if letter in "\n\t" or not (letter in _DIRECTIONS or unicodedata.category(letter) in {"Cc", "Cs"}))
    return _CALLS_EVERYBODY.sub(_DEFUSED, "".join(kept))


def clipped(text: str, longest: int, unit: TextUnit) -> str:
    """As much of a text as fits, with a sign that there was more."""
    size = _SIZES[unit]
    if longest <= 0 or size(text) <= longest:
        return text
    return text[: _fitting(text, longest - size(ELLIPSIS), size)].rstrip() + ELLIPSIS


def split(text: str, longest: int, unit: TextUnit) -> list[str]:
    """A text in pieces of which none is longer than that (0: whatever it is), cut where a reader would pause. Blocks of code stay such."""
    size = _SIZES[unit]
    if longest <= 0 or size(text) <= longest:
        return [text]
    keeps_code = "```" in text and longest >= _FENCED_AT_LEAST
    room = longest - len("\n```") if keeps_code else longest
    pieces, rest, opening = [], text, ""
    while size(rest) > room:
        end, following = _place(rest, max(_fitting(rest, room, size), len(opening) + 1), len(opening))
        piece, rest = rest[:end], rest[following:]
        opening = _open_block(piece) if keeps_code else ""
        pieces.append(f"{piece}\n```" if opening else piece)
        rest = opening + rest
    return [piece for piece in (*pieces, rest) if piece.strip()] or pieces[:1]


def _fitting(text: str, longest: int, size: Callable[[str], int]) -> int:
    """How many letters of it fit, at least one."""
    low, high = 1, min(len(text), max(1, longest))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= longest else (low, middle - 1)
    return low


def _place(text: str, end: int, after: int) -> tuple[int, int]:
    """Where a piece ends that may have so many letters, and where the next begins; both are beyond `after`."""
    for sign, stays in _GOOD_PLACES:
        found = text.rfind(sign, max(end // 2, after + 1), end + len(sign) - stays)
        if found > 0:
            return found + stays, found + len(sign)
    for place in range(end, max(after, end - _LONGEST_CLUSTER), -1):
        if place == len(text) or not _is_joined(text, place):
            return place, place
    return end, end


def _is_joined(text: str, place: int) -> bool:
    """Whether the letters before and after are drawn as one."""
    return text[place] in _JOINERS or text[place - 1] == "\u200d" or unicodedata.category(text[place])[0] == "M"


def _open_block(piece: str) -> str:
    """The line that opens the block of code in which a piece ends; empty if it ends in none."""
    fences = _FENCE.findall(piece)
    return f"```{fences[-1]}\n" if len(fences) % 2 and len(fences[-1]) <= _LONGEST_CLUSTER else ""
