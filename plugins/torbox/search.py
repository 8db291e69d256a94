"""Finding records: by words in any field, and by the ids of an item and its files.

What is found is as it is kept: where a record has a link, it holds no key. The table of `getDatabase` alone puts keys back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinydb.table import Document

from mooring.plugins.torbox.documents import Document as Content
from mooring.plugins.torbox.documents import private_copy
from mooring.plugins.torbox.search_index import TITLE, SearchText, fold, words_of
from mooring.plugins.torbox.table import JournalDB

Rank = tuple[int, tuple[str, int, int, str]]


def search_records(database: JournalDB, text: str) -> list[dict[str, Any]]:
    """The documents in which every word of `text` occurs, best first: by its title, then by its names, then by any field."""
    return [record for _, record in ranked_search(database, text)]


def ranked_search(database: JournalDB, text: str) -> list[tuple[Rank, dict[str, Any]]]:
    """The same with what they are sorted by, for whoever puts several lists together."""
    words = [word for typed in fold(text).split() for word in words_of(typed) or [typed]]
    if not words:
        return []
    version, documents = database.store.versioned_documents(database.default_table_name)
    keys, contents, texts = database.search_index.follow(version, documents)
    # The longest word first: it is the rarest as a rule, and leaves least to the others.
    hits: Iterable[int] = range(len(texts))
    for word in sorted(set(words), key=len, reverse=True):
        hits = [index for index in hits if texts[index].has(word)]
    ranked = sorted(((_rank(texts[index], words), _order(contents[index])), index) for index in hits)
    return [(rank, _view(keys[index], contents[index])) for rank, index in ranked]


def by_title(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sorted as a list is read: by title, season, episode and name."""
    return sorted(records, key=_order)


def find_file(database: JournalDB, item_id: int, file_id: int) -> dict[str, Any] | None:
    """The document of one file; the oldest, where `insertData` was given it more than once."""
    return next(iter(_found(database, ("item_id", "file_id"), (item_id, file_id))), None)


def find_item(database: JournalDB, item_id: int) -> list[dict[str, Any]]:
    """The documents of all files of one download."""
    return _found(database, ("item_id",), (item_id,))


def _found(database: JournalDB, fields: tuple[str, ...], values: tuple[Any, ...]) -> list[dict[str, Any]]:
    with database.store.look() as tables:
        state = tables.states.get(database.default_table_name)
        keys: list[Any] = [] if state is None else state.index(fields).find(values)
        contents = [] if state is None else [(key, state.documents[key]) for key in keys]
    return [_view(key, content) for key, content in contents]


def _view(key: Any, content: Content) -> Document:
    return Document(private_copy(content), key)


def _rank(prepared: SearchText, words: list[str]) -> int:
    """0 for the best."""
    title, _, rest = prepared.text.partition("\n")
    titled, wanted = "".join(words_of(title)), "".join(words)
    if titled == wanted:
        return 0
    if titled.startswith(wanted):
        return 1
    own = SearchText(title, prepared.joined)
    if all(map(own.has, words)):
        return 2 if set(words) <= set(words_of(title)) else 3
    file_name = rest.partition("\n")[0]
    return 4 if all(own.has(word) or word in file_name for word in words) else 5


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
