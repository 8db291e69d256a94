"""Which documents a query can find at all, without asking it about each.

TinyDB describes a query by a hash value: `("==", ("item_id",), 5)`, and `("and", {...})` of two such. That is not a published
form; so it only narrows the search, every candidate is put to the query itself, and whatever is not recognised narrows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mooring.plugins.torbox.documents import Document
from mooring.plugins.torbox.table_state import INDEXED, DocumentId, TableState

Condition = Callable[[Any], bool]
Unmask = Callable[[Document], Document]

_SCALARS = frozenset({str, int, float, bool, type(None)})
_ABSENT = object()


class Candidates:
    """The documents that may fulfil a condition, in the table's order. Made while the tables stand still, asked afterwards."""

    def __init__(self, state: TableState, condition: Condition, unmask: Unmask | None = None) -> None:
        """With `unmask` the condition is put to the documents as it shows them, and so they are found."""
        self._condition = condition
        self._unmask = unmask
        self._wanted = dict(_equalities(getattr(condition, "_hash", None)))
        indexed = next((fields for fields in reversed(INDEXED) if all(field in self._wanted for field in fields)), None)
        # What is found by its kept value may be shown with another one, if that is a text.
        if indexed is not None and state.ascending and (unmask is None or all(type(self._wanted[field]) is not str for field in indexed)):
            keys: list[Any] = state.index(indexed).find(tuple(self._wanted[field] for field in indexed))
            self._documents = {key: state.documents[key] for key in sorted(keys)}
        else:
            self._documents = state.documents.copy()

    def matching(self) -> list[tuple[DocumentId, Document]]:
        condition = self._condition
        if not self._wanted:
            return [item for item in self._shown() if condition(item[1])]
        # Comparing one field here costs a tenth of asking the condition.
        field, value = next(iter(self._wanted.items()))
        likely = [item for item in self._shown() if item[1].get(field, _ABSENT) == value]
        return [item for item in likely if condition(item[1])]

    def first(self) -> tuple[DocumentId, Document] | None:
        condition = self._condition
        return next((item for item in self._shown() if condition(item[1])), None)

    def _shown(self) -> Iterable[tuple[DocumentId, Document]]:
        unmask = self._unmask
        return self._documents.items() if unmask is None else ((key, unmask(document)) for key, document in self._documents.items())


def _equalities(description: Any) -> Iterator[tuple[str, Any]]:
    """Every `field == value` that a document must fulfil."""
    match description:
        case ("==", (str(field),), value) if type(value) in _SCALARS:
            yield field, value
        case ("and", frozenset() as parts):
            for part in parts:
                yield from _equalities(part)
