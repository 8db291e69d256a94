"""An engine as a third party would write it: the four methods and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from storage.database_interface import DatabaseInterface


class FourMethods(DatabaseInterface):
    """Keeps its values in a dict that the caller may share between objects (`shelf`), as a stand-in for something outside of the process.

    `broken` makes the engine refuse: it holds the keys that cannot be written at the moment.
    """

    def __init__(self, domain: str = "", shelf: dict[str, dict[str, Any]] | None = None, **settings: Any) -> None:
        super().__init__(domain, **settings)
        self._kept = ({} if shelf is None else shelf).setdefault(domain, {})
        self.broken: set[str] = set()

    def get_value(self, key: str) -> tuple[bool, Any]:
        if not isinstance(key, str) or key not in self._kept:
            return False, f"{key!r} was never set"
        return True, copy.deepcopy(self._kept[key])

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        if not isinstance(key, str) or key in self.broken:
            return False, f"{key!r} cannot be written"
        self._kept[key] = copy.deepcopy(value)
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        if not isinstance(key, str) or key not in self._kept or key in self.broken:
            return False, f"{key!r} cannot be deleted"
        del self._kept[key]
        return True, key

    def all_keys(self) -> Iterable[str]:
        return list(self._kept)
