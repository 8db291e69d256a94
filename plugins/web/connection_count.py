"""Counting connections."""

from __future__ import annotations

from collections import Counter


class ConnectionCount:
    """How many connections there are, in all and by address."""

    def __init__(self, in_all: int, by_address: int) -> None:
        self._in_all = in_all
        self._by_address = by_address
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._counts.total()

    def room(self) -> int:
        """How many more there may be in all."""
        return self._in_all - self._counts.total()

    def refusal(self, address: str) -> str:
        """Why one more from this address would be too many; empty if it would not. The address "" counts among all alone."""
        if self._counts.total() >= self._in_all:
            return "This service has as many connections as it can take. Try again later."
        if address and self._counts[address] >= self._by_address:
            return "There are too many connections from your address. Close some, or try again later."
        return ""

    def enter(self, address: str) -> None:
        """Count one."""
        self._counts[address] += 1

    def leave(self, address: str) -> None:
        """Count one less, and keep no word of an address without connections."""
        self._counts[address] -= 1
        if self._counts[address] <= 0:
            del self._counts[address]
