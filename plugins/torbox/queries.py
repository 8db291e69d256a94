"""Which documents a query can find at all, without asking it about each.

TinyDB describes a query by a hash value: `("==", ("item_id",), 5)`, and `("and", {...})` of two such. That is not a published
form; so it only narrows the search, every candidate is put to the query itself, and whatever is not recognised narrows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from plugins.torbox.documents import Document
from plugins.torbox.table_state import INDEXED, DocumentId, TableState

Condition = Callable[[Any], bool]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_ABSENT = object()


def matching(state: TableState, condition: Condition) -> Iterable[tuple[DocumentId, Document]]:
    """The documents that fulfil the condition, in the table's order; it is asked about them while the result is iterated.

    Only this call needs the tables to stand still.
    """
    wanted = dict(_equalities(getattr(condition, "_hash", None)))
    candidates = _candidates(state, wanted)
    return ((key, document) for key, document in candidates if condition(document))


def _candidates(state: TableState, wanted: dict[str, Any]) -> Iterable[tuple[DocumentId, Document]]:
    if not wanted:
        return list(state.documents.items())
    if state.ascending:
        for fields in reversed(INDEXED):
            if all(field in wanted for field in fields):
                keys: list[Any] = state.index(fields).find(tuple(wanted[field] for field in fields))
                return [(key, state.documents[key]) for key in sorted(keys)]
    field, value = next(iter(wanted.items()))
    return ((key, document) for key, document in list(state.documents.items()) if document.get(field, _ABSENT) == value)


def _equalities(description: Any) -> Iterator[tuple[str, Any]]:
    """Every `field == value` that a document must fulfil."""
    match description:
        case ("==", (str(field),), value) if type(value) in _SCALARS:
            yield field, value
        case ("and", frozenset() as parts):
            for part in parts:
                yield from _equalities(part)
