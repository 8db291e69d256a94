"""The words of a command line.

Words are separated by white space. A word in double quotes may hold spaces, also after an `@`; inside the quotes a backslash
keeps the next character as it is. Single quotes mean nothing, since people write `don't`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mooring.errors import CommandError

_CLOSING = {'"': '"', "“": "”"}


@dataclass(frozen=True)
class Token:
    """One word: its text without the quotes, and where it stands in the line."""

    text: str
    start: int
    end: int
    quoted: bool = False


def next_token(line: str, start: int) -> Token | None:
    """The first word of `line` from `start` on, None if there is none. Raises CommandError if a quote is not closed."""
    position = _skip_space(line, start)
    return None if position >= len(line) else _read(line, position)


def _skip_space(line: str, position: int) -> int:
    while position < len(line) and line[position].isspace():
        position += 1
    return position


def _read(line: str, start: int) -> Token:
    opening = start + 1 if line[start] == "@" else start
    if opening < len(line) and line[opening] in _CLOSING:
        return _read_quoted(line, start, opening)
    end = start
    while end < len(line) and not line[end].isspace():
        end += 1
    return Token(line[start:end], start, end)


def _read_quoted(line: str, start: int, opening: int) -> Token:
    closing = _CLOSING[line[opening]]
    text = [line[start:opening]]
    position = opening + 1
    while position < len(line):
        letter = line[position]
        if letter == closing or letter == line[opening]:
            return Token("".join(text), start, position + 1, quoted=True)
        if letter == "\\" and position + 1 < len(line):
            position += 1
            letter = line[position]
        text.append(letter)
        position += 1
    raise CommandError(f"A quote ({line[opening]}) is not closed; close it, or write \\{line[opening]} for the character itself.")


def quote(text: str) -> str:
    """`text` written so that it is one word of a line."""
    if text and not any(letter.isspace() or letter in '"“”\\@' for letter in text):
        return text
    escaped = "".join("\\" + letter if letter in '"\\' else letter for letter in text)
    return f'"{escaped}"'


def mention(name: str) -> str:
    """How a member of this name is written in a line: `@ann`, `@"Ann Lee"`."""
    return "@" + quote(name)
