"""What a channel kept when it was hosted last: the hooks of a start ask before it is hosted again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mooring.channels.history import History
from mooring.channels.members import Members
from mooring.channels.system_dicts import HISTORY, MEMBERS
from mooring.events import Character, Down
from mooring.threads import Threads
from storage import MoobiusStorage

T = TypeVar("T")


class LastKnown:
    """Reads through storages of its own, as a bot may open that of its channel whenever it likes, or not at all."""

    def __init__(self, service_id: str, threads: Threads) -> None:
        self._service_id = service_id
        self._threads = threads
        self._members: dict[str, Mapping[str, Character]] = {}

    async def members(self, channel_id: str, db_config: Sequence[Mapping[str, Any]]) -> Mapping[str, Character]:
        """The members of a channel, of whom nobody is online."""
        if channel_id not in self._members:
            self._members[channel_id] = await self._read(channel_id, db_config, lambda storage: dict(Members(MEMBERS.of(storage))))
        return self._members[channel_id]

    async def messages(self, channel_id: str, db_config: Sequence[Mapping[str, Any]], keep: int) -> Sequence[Down]:
        """The messages of a channel, oldest first."""
        return await self._read(channel_id, db_config, lambda storage: History(HISTORY.of(storage), keep=keep).messages())

    def forget(self, channel_id: str) -> None:
        """The channel is hosted, and knows better."""
        self._members.pop(channel_id, None)

    async def _read(self, channel_id: str, db_config: Sequence[Mapping[str, Any]], read: Callable[[MoobiusStorage], T]) -> T:
        def look() -> T:
            with MoobiusStorage(self._service_id, channel_id, [{**entry, "load": False, "clear": False} for entry in db_config]) as storage:
                return read(storage)

        return await self._threads.run(look)
