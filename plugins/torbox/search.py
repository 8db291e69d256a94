"""Finding records: by words in any field, and by the key of a file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinydb.table import Document

from mooring.plugins.torbox.documents import Document as Content
from mooring.plugins.torbox.documents import private_copy
from mooring.plugins.torbox.search_index import TITLE, fold
from mooring.plugins.torbox.table import JournalDB

_BY_KEY = ("item_id", "file_id")


Rank = tuple[int, tuple[str, int, int, str]]


def search_records(database: JournalDB, text: str) -> list[dict[str, Any]]:
    """The documents in which every word of `text` occurs, best first: by its title, then by its names, then by any field."""
    return [record for _, record in ranked_search(database, text)]


def ranked_search(database: JournalDB, text: str) -> list[tuple[Rank, dict[str, Any]]]:
    """The same with what they are sorted by, for whoever puts several lists together."""
    words = fold(text).split()
    if not words:
        return []
    version, documents = database.store.versioned_documents(database.default_table_name)
    keys, contents, texts = database.search_index.follow(version, documents)
    # The longest word first: it is the rarest as a rule, and leaves least to the others.
    first, *others = sorted(set(words), key=len, reverse=True)
    hits = [index for index, prepared in enumerate(texts) if first in prepared]
    for word in others:
        hits = [index for index in hits if word in texts[index]]
    phrase = " ".join(words)
    ranked = sorted(((_rank(texts[index], words, phrase), _order(contents[index])), index) for index in hits)
    return [(rank, _view(keys[index], contents[index])) for rank, index in ranked]


def by_title(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted as a list is read: by title, season, episode and name."""
    return sorted(records, key=_order)


def find_file(database: JournalDB, item_id: int, file_id: int) -> dict[str, Any] | None:
    """The document of one file; the oldest, where `insertData` was given it more than once."""
    with database.store.look() as tables:
        state = tables.states.get(database.default_table_name)
        keys: list[Any] = [] if state is None else state.index(_BY_KEY).find((item_id, file_id))
        if state is None or not keys:
            return None
        key = keys[0]
        content = state.documents[key]
    return _view(key, content)


def _view(key: Any, content: Content) -> Document:
    return Document(private_copy(content), key)


def _rank(prepared: str, words: list[str], phrase: str) -> int:
    """0 for the best."""
    title, _, rest = prepared.partition("\n")
    if title == phrase:
        return 0
    if title.startswith(phrase):
        return 1
    if all(word in title for word in words):
        return 2 if set(words) <= set(title.split()) else 3
    file_name = rest.partition("\n")[0]
    return 4 if all(word in title or word in file_name for word in words) else 5


def _order(content: Content) -> tuple[str, int, int, str]:
    return (
        str(content.get(TITLE, "")).casefold(),
        _first_number(content.get("metadata_season")),
        _first_number(content.get("metadata_episode")),
        str(content.get("file_name", "")),
    )


def _first_number(value: Any) -> int:
    if isinstance(value, list):
        value = next(iter(value), None)
    return value if isinstance(value, int) else -1
