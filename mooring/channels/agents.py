"""Characters that no person plays."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mooring.channels.sends import checked
from mooring.channels.system_dicts import AGENTS, IMPORTED, OF_THE_SERVICE
from mooring.events import Character
from mooring.threads import Threads
from storage import MoobiusStorage

log = logging.getLogger(__name__)


class _Agent(msgspec.Struct):
    name: str
    avatar: str | None = None
    description: str | None = None


class Agents:
    """The agents of one service. They are known in all of its channels, and again after a restart."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._storage: MoobiusStorage | None = None
        self._known: dict[str, Character] = {}
        self.imported: tuple[str, ...] = ()
        """What was taken over from the Moobius SDK when this was opened, by the names that its dicts had there."""
        self._outside = contextvars.copy_context()

    async def open(self, service_id: str, db_config: Sequence[Mapping[str, Any]]) -> None:
        """Find the agents that were made before, beside the dicts of the channels."""
        self._known = await self._threads.run(self._load, service_id, [{**entry, "load": False, "clear": False} for entry in db_config])

    def close(self) -> None:
        """Close the storage, which blocks. Calling it twice is fine."""
        if self._storage is not None:
            self._storage.close()
            self._storage = None

    async def create(self, name: str, avatar: str | None, description: str | None) -> Character:
        """Make an agent with an id of its own. It stays, whatever becomes of the event in which it is made. Raises Unsendable."""
        return await self._keep(Character(f"agent-{secrets.token_hex(8)}", name, avatar, description, {"agent": True}))

    async def update(self, agent_id: str, name: str, avatar: str | None, description: str | None) -> Character:
        """Change an agent, which it stays as `create` says. Raises ValueError if there is no such agent."""
        if agent_id not in self._known:
            raise ValueError(f"{agent_id!r:.80} is no agent of this service; only agents can be changed by it")
        return await self._keep(Character(agent_id, name, avatar, description, {"agent": True}))

    def get(self, character_id: str) -> Character | None:
        """The agent with this id."""
        return self._known.get(character_id)

    def all(self) -> list[Character]:
        """All agents, in the order in which they were made."""
        return list(self._known.values())

    async def _keep(self, made: Character) -> Character:
        agent: Character = checked("characters", made, Character)
        if self._storage is not None:
            # Outside of the event in hand, whose transaction takes in the dicts of its channel alone.
            await asyncio.get_running_loop().create_task(self._write(self._storage, agent), context=self._outside.copy())
        self._known[agent.character_id] = agent
        return agent

    async def _write(self, storage: MoobiusStorage, agent: Character) -> None:
        kept = AGENTS.of(storage)
        async with storage.transaction():
            kept[agent.character_id] = {"name": agent.name, "avatar": agent.avatar, "description": agent.description}

    def _load(self, service_id: str, entries: list[dict[str, Any]]) -> dict[str, Character]:
        self._storage = OF_THE_SERVICE.open(service_id, entries)
        self.imported = tuple(IMPORTED.of(self._storage))
        found = {}
        for agent_id, kept in AGENTS.of(self._storage).items():
            try:
                agent = msgspec.convert(kept, _Agent)
            except msgspec.ValidationError as error:
                log.error("the agent %r cannot be read and is left out: %s", agent_id, error)  # noqa: TRY400 - the line says it
                continue
            found[agent_id] = Character(agent_id, agent.name, agent.avatar, agent.description, {"agent": True})
        return found
