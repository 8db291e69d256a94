"""What waits in an outbox for one room."""

from __future__ import annotations

from collections.abc import Iterator

from mooring.channels.outbox_entries import Entry


class Line:
    """The entries that wait for one room by their numbers, oldest first, and how much of it there will be when the commits on their way are kept."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.done = 0
        """Everything up to this number has left."""
        self.newest: dict[str, int] = {}
        """The newest number for each message."""
        self.leaving: set[int] = set()
        """What gives way in commits that are on their way."""
        self.last = 0
        """The newest number that is known."""
        self._size = 0
        self._ahead: list[int] = [0, 0]

    @property
    def count(self) -> int:
        """How many entries wait."""
        return len(self.entries) + self._ahead[0]

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._size + self._ahead[1]

    @property
    def oldest(self) -> float | None:
        """When the oldest of them was committed, in seconds since 1970."""
        return next((entry.at for entry in self.entries.values()), None)

    def put(self, number: int, entry: Entry) -> bool:
        """An entry was committed; whether it waits."""
        self.last = max(self.last, number)
        if number <= self.done:
            return False
        if number not in self.entries:
            self._size += entry.size
        self.entries[number] = entry
        if entry.message_id:
            self.newest[entry.message_id] = max(number, self.newest.get(entry.message_id, 0))
        return True

    def remove(self, number: int, entry: Entry) -> None:
        """An entry waits no more."""
        if self.entries.pop(number, None) is not None:
            self._size -= entry.size
        if self.newest.get(entry.message_id) == number:
            del self.newest[entry.message_id]

    def pass_on(self, number: int) -> Iterator[Entry]:
        """Everything up to a number has left: the entries of which that was not known."""
        self.done, self.last = max(self.done, number), max(self.last, number)
        while self.entries and (first := next(iter(self.entries))) <= number:
            entry = self.entries[first]
            self.remove(first, entry)
            yield entry

    def sort(self) -> None:
        """What came in through other processes came in any order."""
        self.entries = dict(sorted(self.entries.items()))

    def count_ahead(self, entry: Entry, sign: int) -> None:
        """A commit with one more entry is on its way (1), or not any more (-1)."""
        self._ahead[0] += sign
        self._ahead[1] += sign * entry.size

    def count_leaving(self, number: int, entry: Entry, sign: int) -> None:
        """The same for an entry that gives way in it."""
        self.count_ahead(entry, -sign)
        if sign > 0:
            self.leaving.add(number)
        else:
            self.leaving.discard(number)

    def reset(self) -> None:
        """No commit is on its way."""
        self.leaving.clear()
        self._ahead = [0, 0]
