"""The texts that free-text search looks through, folded once per document instead of once per search."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from mooring.plugins.torbox.documents import Document
from mooring.plugins.torbox.table_state import DocumentId

TITLE = "metadata_title"
_NAMES = ("file_name", "folder_name", "metadata_filename", "metadata_rootfoldername")
# Letters that are not a base letter with a mark, but that people type without what makes them special.
_LIKE = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h"})
# Left out of words, as most names of files and most people do. The acute accent is one of them when it stands alone.
_APOSTROPHES = str.maketrans("", "", "'’‘‛ʼʹ′´`＇")
_WORD = re.compile(r"[^\W_]+")
_JOINED = 3
"""Words that people may write as one: `spiderman`, `xmenapocalypse`."""
_LINK = "://"


class SearchText(NamedTuple):
    """What one document is found by."""

    text: str
    """Every field's text, a line for each: the title first, then the names, then the rest."""
    joined: str
    """The title's words written together, each form after a blank: ` spidermanhomecoming manhomecoming`."""

    def has(self, word: str) -> bool:
        return word in self.text or f" {word}" in self.joined


def fold(text: str) -> str:
    """Without accents, apostrophes and case: `Amélie’s` and `AMELIES` fold to the same."""
    text = text.translate(_APOSTROPHES)
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold().translate(_LIKE)


def words_of(text: str) -> list[str]:
    """The words of a folded text. Single letters in a row are one word, whatever stands between them: `s.w.a.t.`."""
    words: list[str] = []
    spelled = False
    for word in _WORD.findall(text):
        if len(word) == 1 and spelled:
            words[-1] += word
        else:
            words.append(word)
        spelled = len(word) == 1
    return words


def searchable(document: Mapping[str, Any]) -> SearchText:
    """Links are left out: they are no names, and all of them have the same words in them."""
    first = [str(document.get(TITLE, "")), *(_text(document[name]) for name in _NAMES if name in document)]
    rest = [_text(value) for name, value in document.items() if name != TITLE and name not in _NAMES]
    words = words_of(fold(str(document.get(TITLE) or document.get("file_name", ""))))
    return SearchText(fold("\n".join([*first, *rest])), _joined(words))


def _joined(words: list[str]) -> str:
    return "".join(f" {''.join(words[start : start + _JOINED])}" for start in range(len(words)))


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return _texts(value)
    if isinstance(value, dict):
        return _texts(value.values())
    text = "" if value is None else str(value)
    return "" if _LINK in text else text


def _texts(values: Iterable[Any]) -> str:
    return " ".join(map(_text, values))


class SearchIndex:
    """Follows a table: a document that was replaced is another object, so only those are folded anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = -1
        self._documents: list[Document] = []
        self._keys: list[DocumentId] = []
        self._texts: list[SearchText] = []

    def follow(self, version: int, documents: Mapping[DocumentId, Document]) -> tuple[list[DocumentId], list[Document], list[SearchText]]:
        """Ids, documents and texts, in the same order. The lists are not changed afterwards."""
        with self._lock:
            if version > self._version:
                known = {id(document): text for document, text in zip(self._documents, self._texts, strict=True)}
                # Equal ids are equal objects: the earlier documents are held until this is done.
                self._texts = [known.get(id(document)) or searchable(document) for document in documents.values()]
                self._keys, self._documents = list(documents), list(documents.values())
                self._version = version
            return self._keys, self._documents, self._texts
