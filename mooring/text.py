"""Words for members: the nearest valid word, and safe quotes of what was typed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from storage.nearest_word import nearest_word

_LONGEST_QUOTE = 40


def fold(text: str) -> str:
    """The form in which names and words are compared: case and compatibility forms make no difference."""
    if text.isascii():
        return text.lower()  # which is the same there, and what most names and words are
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def fold_name(name: str) -> str:
    """What two names have in common if a reader or `@name` could take one for the other."""
    if name.isascii() and name.isprintable():
        return " ".join(name.lower().split())  # which is the same there, and what most names are
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) not in {"Cf", "Cc"})
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that was most likely meant, or None if none is near."""
    return nearest_word(word, valid, fold)


def suggestion(word: str, valid: Iterable[str], prefix: str = "") -> str:
    """` Did you mean ...?`, or nothing when no word is near."""
    match = nearest(word, valid)
    return f" Did you mean {prefix}{match}?" if match is not None else ""


def clip(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """What was typed as one short printable line, so that an error stays one line whatever was typed."""
    shown = "".join(" " if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} else letter for letter in text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`"""
    *most, last = list(words)
    return f"{', '.join(most)} or {last}" if most else last
