"""The texts that free-text search looks through, folded once per document instead of once per search."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Mapping
from typing import Any

from mooring.plugins.torbox.documents import Document
from mooring.plugins.torbox.table_state import DocumentId

TITLE = "metadata_title"
_NAMES = ("file_name", "folder_name", "metadata_filename", "metadata_rootfoldername")
# Letters that are not a base letter with a mark, but that people type without what makes them special.
_LIKE = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h"})


def fold(text: str) -> str:
    """Without accents and case: `Amélie` and `AMELIE` fold to the same."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold().translate(_LIKE)


def searchable(document: Mapping[str, Any]) -> str:
    """Every field's text, a line for each: the title first, then the names, then the rest."""
    first = [str(document.get(TITLE, "")), *(str(document[name]) for name in _NAMES if name in document)]
    rest = [_text(value) for name, value in document.items() if name != TITLE and name not in _NAMES]
    return fold("\n".join([*first, *rest]))


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_text, value))
    if isinstance(value, dict):
        return " ".join(map(_text, value.values()))
    return "" if value is None else str(value)


class SearchIndex:
    """Follows a table: a document that was replaced is another object, so only those are folded anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = -1
        self._documents: list[Document] = []
        self._keys: list[DocumentId] = []
        self._texts: list[str] = []

    def follow(self, version: int, documents: Mapping[DocumentId, Document]) -> tuple[list[DocumentId], list[Document], list[str]]:
        """Ids, documents and texts, in the same order. The lists are not changed afterwards."""
        with self._lock:
            if version > self._version:
                known = {id(document): text for document, text in zip(self._documents, self._texts, strict=True)}
                # Equal ids are equal objects: the earlier documents are held until this is done.
                self._texts = [known.get(id(document)) or searchable(document) for document in documents.values()]
                self._keys, self._documents = list(documents), list(documents.values())
                self._version = version
            return self._keys, self._documents, self._texts
