"""What somebody most likely meant who wrote a word that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

_LONGEST = 200
"""Characters that are compared: the time it takes grows with their square."""

_LEAST_LIKENESS = 0.5


def nearest_word(word: str, valid: Iterable[str], fold: Callable[[str], str] = str.casefold) -> str | None:
    """The valid word that is nearest, or None if none is near. `fold` brings words into the form in which they are compared."""
    by_fold = {fold(each): each for each in valid}
    matches = difflib.get_close_matches(fold(word[:_LONGEST]), by_fold, n=1, cutoff=_LEAST_LIKENESS)
    return by_fold[matches[0]] if matches else None


def suggestion(word: str, valid: Iterable[str]) -> str:
    """`did you mean ...?` for the nearest valid word, or nothing."""
    match = nearest_word(word, valid)
    return f'did you mean "{match}"?' if match is not None else ""
