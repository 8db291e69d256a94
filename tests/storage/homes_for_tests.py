"""Where dicts can live: the engines that keep their data, each with a way to open it again as another object."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.encoding.codec import Encoded
from storage.json.database import JSONDatabase
from tests.storage.engines_for_tests import FourMethods

Home = Callable[..., DatabaseInterface]
"""Called with the name of a dict, it opens the engine object that holds it."""

HOMES = ("json", "redis", "four")


def make_home(kind: str, folder: Path, port: int) -> Home:
    """A place of its own: what one home holds, no other has."""
    place = f"service_{uuid.uuid4().hex}.channel_tavern"
    if kind == "json":
        return lambda name="bars": JSONDatabase(f"{place}.{name}", str(folder / "json"))
    if kind == "redis":
        from storage.redis.database import RedisDatabase

        return lambda name="bars": RedisDatabase(f"{place}.{name}", port=port)
    shelf: dict[str, dict[str, Any]] = {}
    return lambda name="bars": FourMethods(f"{place}.{name}", shelf)


class FailingOnCall(FourMethods):
    """Lets one call fail, the n-th of all calls since `fail_on(n)`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self.left = 0
        super().__init__(*arguments, **settings)

    def fail_on(self, number: int) -> None:
        self.left = number

    def _fails(self) -> bool:
        self.left -= 1
        return self.left == 0

    def get_value(self, key: str) -> tuple[bool, Any]:
        return (False, "out of order") if self._fails() else super().get_value(key)

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        return (False, "out of order") if self._fails() else super().set_value(key, value)

    def delete_key(self, key: str) -> tuple[bool, str]:
        return (False, "out of order") if self._fails() else super().delete_key(key)


class Recording(FourMethods):
    """Remembers what it is asked to commit, and can be told to hold a commit back, or to refuse the next one with an exception."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.commits: list[tuple[list[tuple[str, Encoded | None]], Origin, bool]] = []
        self.asked: list[str] = []
        self.refusal: BaseException | None = None
        self.gate: asyncio.Event | None = None

    def get_value(self, key: str) -> tuple[bool, Any]:
        self.asked.append(key)
        return super().get_value(key)

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        super().commit_batch(batch, origin, sync=sync)
        self.commits += [(list(part.changes), origin, sync) for part in batch]

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        cancelled: asyncio.CancelledError | None = None
        while self.gate is not None and not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError as error:
                cancelled = error
        self.commit_batch(batch, origin, sync=sync)
        if cancelled is not None:
            raise cancelled
