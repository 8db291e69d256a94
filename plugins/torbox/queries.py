"""Which documents a query can find at all, without asking it about each.

TinyDB describes a query by a hash value: `("==", ("item_id",), 5)`, and `("and", {...})` of two such. That is not a published
form; so it only narrows the search, every candidate is put to the query itself, and whatever is not recognised narrows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mooring.plugins.torbox.documents import Document
from mooring.plugins.torbox.table_state import INDEXED, DocumentId, TableState

Condition = Callable[[Any], bool]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_ABSENT = object()


class Candidates:
    """The documents that may fulfil a condition, in the table's order. Made while the tables stand still, asked afterwards."""

    def __init__(self, state: TableState, condition: Condition) -> None:
        self._condition = condition
        self._wanted = dict(_equalities(getattr(condition, "_hash", None)))
        indexed = next((fields for fields in reversed(INDEXED) if all(field in self._wanted for field in fields)), None)
        if indexed is not None and state.ascending:
            keys: list[Any] = state.index(indexed).find(tuple(self._wanted[field] for field in indexed))
            self._documents = {key: state.documents[key] for key in sorted(keys)}
        else:
            self._documents = state.documents.copy()

    def matching(self) -> list[tuple[DocumentId, Document]]:
        condition = self._condition
        if not self._wanted:
            return [item for item in self._documents.items() if condition(item[1])]
        # Comparing one field here costs a tenth of asking the condition.
        field, value = next(iter(self._wanted.items()))
        likely = [(key, document) for key, document in self._documents.items() if document.get(field, _ABSENT) == value]
        return [item for item in likely if condition(item[1])]

    def first(self) -> tuple[DocumentId, Document] | None:
        condition = self._condition
        return next(((key, document) for key, document in self._documents.items() if condition(document)), None)


def _equalities(description: Any) -> Iterator[tuple[str, Any]]:
    """Every `field == value` that a document must fulfil."""
    match description:
        case ("==", (str(field),), value) if type(value) in _SCALARS:
            yield field, value
        case ("and", frozenset() as parts):
            for part in parts:
                yield from _equalities(part)
