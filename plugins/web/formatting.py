"""What the page is told to draw of a message, besides its Markdown: lines, sections that open, and commands to try."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mooring import LONGEST_MARKDOWN, Formatted


class Entry(Struct):
    """One line of a section, perhaps with a command to try."""

    title: str
    text: str
    command: str = ""


class Section(Struct):
    """What a plugin puts into `sections` of a message's context: a list that is too long to be read in one go."""

    title: str
    text: str
    entries: list[Entry]


def sections(given: object) -> tuple[Formatted, ...] | None:
    """Sections that open one by one and can be searched; None for what is none."""
    try:
        found = msgspec.convert(given, list[Section])
    except msgspec.ValidationError:
        return None
    return (Formatted("search"), *map(_section, found))


def _section(section: Section) -> Formatted:
    head = Formatted("summary", (Formatted("strong", (section.title,)), f" {section.text}"))
    return Formatted("details", (head, *map(_entry, section.entries)))


def _entry(entry: Entry) -> Formatted:
    ways = (" ", _try(entry.command, "Try it")) if entry.command else ()
    return Formatted("p", (Formatted("code", (entry.title,)), f" {entry.text}", *ways))


def tries(given: object) -> tuple[Formatted, ...]:
    """Commands to try, as a line of their own; nothing for what is no list of them."""
    commands = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    return (Formatted("p", tuple(part for each in commands for part in (_try(each, each), " "))),) if commands else ()


def _try(command: str, words: str) -> Formatted:
    return Formatted("try", (words,), href=command)


def beginning(text: str, lines: int) -> str:
    """As much of a text as is shown unasked."""
    return "\n".join(text.split("\n", lines)[:lines])[:LONGEST_MARKDOWN]


def lines(text: str) -> tuple[Formatted, ...]:
    """The lines of a text in which nothing was read."""
    return tuple(Formatted("p", (line,) if line else ()) for line in text.split("\n"))
