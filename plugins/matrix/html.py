"""Markdown as the HTML of Matrix' formatted messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import quote

from mooring import Formatted

Mentioned = Callable[[str], str | None]
"""The id of the user whom a name mentions; None for what is nobody's name here."""

_SAME = {"ul": "ul", "li": "li", "blockquote": "blockquote", "strong": "strong", "em": "em", "s": "del"}
Part = Formatted | str


def html_of(parts: Sequence[Part], mentioned: Mentioned) -> str:
    """Nothing but what stands in the tree; whatever people wrote is text in it."""
    found: list[str] = []
    for number, part in enumerate(parts):
        if number and _is_line(part) and _is_line(parts[number - 1]):
            found.append("<br>")
        found.append(_one(part, mentioned))
    return "".join(found)


def lines_as_html(text: str) -> str:
    """A text in which nothing is formatted."""
    return escape(text).replace("\n", "<br>")


def mentions_in(parts: Sequence[Part], mentioned: Mentioned) -> set[str]:
    """The users whom a text mentions."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Formatted):
            found |= mentions_in(part.children, mentioned)
            user = mentioned(_words(part)[1:]) if part.tag == "mention" else None
            found |= {user} if user else set()
    return found


def _one(part: Part, mentioned: Mentioned) -> str:
    if isinstance(part, str):
        return lines_as_html(part)
    inside = html_of(part.children, mentioned)
    tag = part.tag
    if tag in _SAME:
        return f"<{_SAME[tag]}>{inside}</{_SAME[tag]}>"
    if tag == "a":
        return f'<a href="{escape(part.href)}">{inside}</a>'
    if tag == "ol":
        return f'<ol start="{part.start}">{inside}</ol>' if part.start != 1 else f"<ol>{inside}</ol>"
    if tag in {"code", "pre"}:
        return _code(part)
    user = mentioned(_words(part)[1:]) if tag == "mention" else None
    return f'<a href="https://matrix.to/#/{quote(user, safe="@:")}">{inside}</a>' if user else inside


def _code(part: Formatted) -> str:
    """In code an end of a line is one."""
    if part.tag == "code":
        return f"<code>{escape(_words(part))}</code>"
    language = f' class="language-{escape(part.language)}"' if part.language else ""
    return f"<pre><code{language}>{escape(_words(part))}</code></pre>"


def _words(part: Part) -> str:
    return part if isinstance(part, str) else "".join(map(_words, part.children))


def _is_line(part: Part) -> bool:
    return isinstance(part, Formatted) and part.tag == "p"
