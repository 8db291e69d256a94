"""Ids in the order of names, to be read page by page and by the beginning of a name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from mooring.text import fold_name

_BETWEEN = "\n"
"""Stands between name and id in a cursor; a folded name has only single spaces."""


class NameOrder:
    """The order of folded names. Putting one in costs a look-up and a move of memory, however many there are."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str]] = []
        self._names: dict[str, str] = {}

    def put(self, key: str, name: str) -> None:
        """Put an id in, or move it to the place of its new name."""
        folded = fold_name(name)
        if self._names.get(key) != folded:
            self.remove(key)
            self._names[key] = folded
            insort(self._entries, (folded, key))

    def remove(self, key: str) -> None:
        """Take an id out, if it is in."""
        folded = self._names.pop(key, None)
        if folded is not None:
            del self._entries[bisect_left(self._entries, (folded, key))]

    def replace(self, names: Iterable[tuple[str, str]]) -> None:
        """Have these `(id, name)` pairs in it and no others: one by one, many would take long."""
        self._names = {key: fold_name(name) for key, name in names}
        self._entries = sorted((folded, key) for key, folded in self._names.items())

    def page(self, prefix: str, after: str, limit: int) -> tuple[list[str], str]:
        """At most `limit` ids whose names begin with `prefix`, after the cursor `after`, and the cursor for those that follow.

        The cursor is empty for the beginning, and at the end. It stays good when names come and go.
        """
        folded = fold_name(prefix)
        name, _, key = after.partition(_BETWEEN)
        first = max(bisect_left(self._entries, (folded,)), bisect_right(self._entries, (name, key)) if after else 0)
        found = [entry for entry in self._entries[first : first + limit + 1] if entry[0].startswith(folded)]
        more = _BETWEEN.join(found[limit - 1]) if len(found) > limit else ""
        return [key for _, key in found[:limit]], more
