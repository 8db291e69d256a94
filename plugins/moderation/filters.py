"""What a text says under all disguises, as far as that can be told: words, and links."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)


def has_word(text: str, words: Sequence[str]) -> bool:
    """Whether one of the words stands in the text as a whole one, whatever its case, accents and invisible characters."""
    if not words:
        return False
    plain = _plain(text)
    return any(re.search(rf"(?<!\w){re.escape(_plain(word))}(?!\w)", plain) for word in words if _plain(word).strip())


def has_foreign_link(text: str, hosts: Sequence[str]) -> bool:
    """Whether a link leads to a host that is none of these, nor below one of them."""
    allowed = [host.casefold().lstrip(".") for host in hosts]
    for link in _LINK.findall(unicodedata.normalize("NFKC", text)):
        try:
            host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
        except ValueError:
            return True
        if not any(host == each or host.endswith(f".{each}") for each in allowed):
            return True
    return False


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if unicodedata.category(letter) not in {"Cf", "Mn", "Me"})
