"""A list that is fetched page by page while it changes: no item that is there all the while is missed.

When an item is removed, those behind it move up, and one of them moves from a page that is still to come to one that was fetched.
So pages overlap: if the first item of a page is known, nothing moved past; if not, the page before is fetched again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

_OVERLAP = 100
"""Items of a page that were on the one before; that many may go at once without a page being fetched twice."""

FetchPage = Callable[[int], Awaitable[list[Any]]]
"""Gets the position of the first item that is wanted."""


class Paging:
    """One reading of a list, whose items have an `id`. A server may give fewer items than it was asked for, or know no positions."""

    def __init__(self, fetch: FetchPage, on_page: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._fetch = fetch
        self._on_page = on_page
        self._seen: set[Any] = set()
        self.items: list[Any] = []

    async def read(self) -> list[Any]:
        """All items, in the order in which they were first seen."""
        pages = await self._read_forward()
        if pages > 1:
            await self._read_newcomers()
        return self.items

    async def _read_forward(self) -> int:
        position = back = furthest = pages = 0
        while True:
            page = await self._fetch(position)
            if position and back and not (page and _identity(page[0]) in self._seen):
                back *= 2
                position = max(0, position - back)
                continue
            fresh = await self._take(page)
            pages += bool(fresh)
            # Pages that were fetched again may have nothing new, and the next one all the same.
            if not fresh and (position + len(page) >= furthest or not page):
                return pages
            back = overlap = min(_OVERLAP, -(-len(page) // 10)) if len(page) > 1 else 0
            furthest = max(furthest, position + len(page))
            position += len(page) - overlap

    async def _read_newcomers(self) -> None:
        """What was added at the front after that had been read."""
        position = 0
        while page := await self._fetch(position):
            last_is_known = _identity(page[-1]) in self._seen
            if not await self._take(page) or last_is_known:
                return
            position += len(page)

    async def _take(self, page: list[Any]) -> list[Any]:
        fresh = [item for item in page if _identity(item) not in self._seen]
        self._seen.update(map(_identity, fresh))
        self.items += fresh
        if fresh and self._on_page is not None:
            await self._on_page(len(self.items))
        return fresh


def _identity(item: object) -> object:
    """What tells an item from the others; one without a usable id is itself alone."""
    identity = item.get("id") if isinstance(item, dict) else None
    return identity if isinstance(identity, int | str) else msgspec.json.encode(item)
