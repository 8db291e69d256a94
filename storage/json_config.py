"""Reading JSON that people write by hand, so that every fault of it is told with its file and line."""

from __future__ import annotations

import json
import os
import re
from bisect import bisect
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

from storage.errors import ConfigError, Fault
from storage.json_words import quoted

DEEPEST = 100
"""Levels of nesting. No config needs more, and from a few hundred on whoever checks or shows a value may fail with a RecursionError."""

_LONGEST_INTEGER = 4000
"""Digits; Python itself refuses to read integers of more than 4300."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:]|NaN|-?Infinity|-?\d[\d.eE+-]*', re.DOTALL)


def read_json(path: str | os.PathLike[str], example: str = "") -> Any:
    """What a JSON file in UTF-8, with or without a byte order mark, holds; `example` is shown where there is no such file.

    Stricter than `json.load`: two equal keys in one object, NaN, infinities and deep nesting are faults. Raises ConfigError.
    """
    file = os.fspath(path)
    text = _text(file, example)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        problem, remedy = f"is invalid JSON: {error.msg}", f"mend it at line {error.lineno}, column {error.colno}"
        raise ConfigError([Fault(file, "", "", problem, remedy)]) from error
    except (RecursionError, ValueError) as error:  # too deep, or a number too long for Python; the tokens tell where
        raise ConfigError(list(_faults(file, text))) from error
    faults = list(_faults(file, text))
    if faults:
        raise ConfigError(faults)
    return content


def expect_object(value: Any, file: str) -> dict[str, Any]:
    """The value, if it is a JSON object. Raises ConfigError."""
    if isinstance(value, dict):
        return value
    raise ConfigError([Fault(file, "", "", f"holds {quoted(value)}", "expected an object in braces")])


def _text(file: str, example: str) -> str:
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError as error:
        remedy = f"{f'write it, like {example}' if example else 'write it'}; relative names start in {Path.cwd()}"
        raise ConfigError([Fault(file, "", "", f"there is no such file ({error.strerror})", remedy)]) from error
    except (OSError, ValueError) as error:  # a ValueError for a name that holds a null byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([Fault(file, "", "", f"cannot be read: {reason}", "name a file that this user may read")]) from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"cannot be read: byte 0x{content[error.start]:02x} in line {line} is not utf-8"
        raise ConfigError([Fault(file, "", "", problem, "save it as UTF-8 text")]) from error


def _faults(file: str, text: str) -> Iterator[Fault]:
    """What `json.loads` lets pass, or fails at without telling the place. The text is JSON, but for its depth and its numbers."""
    opened: list[dict[str, list[str]]] = []
    """For each object or list around the token in hand: its keys so far, with the lines in which each stands."""
    line_ends = [end.start() for end in re.finditer("\n", text)]
    before = ""
    for token in _TOKEN.finditer(text):
        word, line = token[0], str(bisect(line_ends, token.start()) + 1)
        if word in "[{":
            opened.append({})
            if len(opened) > DEEPEST:
                problem = f"is nested deeper than {DEEPEST} levels, where the recursion of the reader ends"
                yield Fault(file, "", "", problem, f"make it flatter at line {line}")
                return
        elif word in "]}":
            for key, lines in opened.pop().items():
                if len(lines) > 1:
                    problem = f"the field {key!r} stands {len(lines)} times in one object"
                    yield Fault(file, "", "", problem, f"leave one of those at lines {' and '.join(lines)}")
        elif word == ":":
            opened[-1].setdefault(json.loads(before), []).append(line)
        elif word.lstrip("-").isdigit() and len(word) > _LONGEST_INTEGER:
            yield Fault(file, "", "", f"the number at line {line} has {len(word)} digits", f"write one of at most {_LONGEST_INTEGER}")
            return  # json.loads has come no further, so the rest may be anything
        elif word[0] != '"' and not word.lstrip("-").isdigit() and not isfinite(float(word)):
            yield Fault(file, "", "", f"{word} at line {line} is no finite number", "write one that is")
        before = word
