"""Strings that must not be seen by anybody: tokens, keys, passwords."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

HIDDEN = "[secret]"
_SHORTEST = 6
"""Shorter strings are not hidden: they would blot out words, and are no secrets to speak of."""


class SecretFound(ValueError):
    """A secret stands where it must not; the text does not repeat it."""


class Secrets:
    """Finds and hides what it was told, as it is and as URLs and JSON write it. From any thread; what was added stays."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._forms: tuple[str, ...] = ()
        for secret in known:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Hide this string from now on."""
        if len(secret) >= _SHORTEST:
            # The longest first, so that a secret that holds another one is hidden whole.
            self._forms = tuple(sorted({*self._forms, *_forms_of(secret)}, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """The text with every secret replaced."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def found_in(self, text: str) -> bool:
        return any(form in text for form in self._forms)

    def check(self, text: str, place: str) -> None:
        """Raise SecretFound, which names the place, if a secret occurs in `text`."""
        if self.found_in(text):
            raise SecretFound(f"{place} holds a secret and was refused")


def _forms_of(secret: str) -> set[str]:
    escaped = json.dumps(secret)[1:-1]
    return {secret, quote(secret), quote(secret, safe=""), escaped, escaped.replace("/", "\\/")}
