"""For whom a message is, where that is not a list of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, MutableSequence, Sequence
from typing import Any, ClassVar, overload

SERVICE = "service"
"""As the only recipient of a message that goes up: it is for the service alone."""


class Everyone(MutableSequence[str]):
    """All members of a channel, and whoever joins it: the recipients of a message that is for no one in particular.

    It reads as a list of their ids, which is made when somebody looks: most messages are sent without a look, and a crowd would make
    each of them dear. A list of the same ids made by hand is for those members only, also when they were all that there were; so is
    this one from its first change on.
    """

    __stored_as__: ClassVar[type] = list
    """In dicts it is kept as a list."""

    def __init__(self, members: Collection[str] = ()) -> None:
        self._members = members
        self._own: list[str] | None = None

    @property
    def is_everyone(self) -> bool:
        """Whether it was not changed."""
        return self._own is None

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._ids()[index]

    def __len__(self) -> int:
        return len(self._members if self._own is None else self._own)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members if self._own is None else self._own)

    def __contains__(self, member_id: object) -> bool:
        return member_id in (self._members if self._own is None else self._own)

    def __setitem__(self, index: Any, member_ids: Any) -> None:
        self._changed()[index] = member_ids

    def __delitem__(self, index: int | slice) -> None:
        del self._changed()[index]

    def insert(self, index: int, member_id: str) -> None:
        """As in a list."""
        self._changed().insert(index, member_id)

    def sort(self, **how: Any) -> None:
        """As in a list."""
        self._changed().sort(**how)

    def copy(self) -> list[str]:
        """The ids, as a list: for those members only."""
        return list(self)

    def __add__(self, others: Iterable[str]) -> list[str]:
        return [*self, *others]

    def __radd__(self, others: Iterable[str]) -> list[str]:
        return [*others, *self]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) and not isinstance(other, str) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as for a list

    def __repr__(self) -> str:
        return repr(list(self))

    def _ids(self) -> list[str]:
        return list(self._members) if self._own is None else self._own

    def _changed(self) -> list[str]:
        if self._own is None:
            self._own = list(self._members)
        return self._own
