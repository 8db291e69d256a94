"""Characters that no person plays."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from mooring.channels.system_dicts import AGENTS, OF_THE_SERVICE
from mooring.events import Character
from mooring.threads import Threads
from storage import MoobiusStorage


class Agents:
    """The agents of one service. They are known in all of its channels, and again after a restart."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._storage: MoobiusStorage | None = None
        self._known: dict[str, Character] = {}

    async def open(self, service_id: str, db_config: Sequence[Mapping[str, Any]]) -> None:
        """Find the agents that were made before, beside the dicts of the channels."""
        self._known = await self._threads.run(self._load, service_id, [{**entry, "load": False, "clear": False} for entry in db_config])

    def close(self) -> None:
        """Close the storage, which blocks. Calling it twice is fine."""
        if self._storage is not None:
            self._storage.close()
            self._storage = None

    async def create(self, name: str, avatar: str | None, description: str | None) -> Character:
        """Make an agent with an id of its own. It stays, whatever becomes of the event in which it is made."""
        agent = Character(f"agent-{secrets.token_hex(8)}", name, avatar, description, {"agent": True})
        if self._storage is not None:
            kept = AGENTS.of(self._storage)
            async with self._storage.transaction():
                kept[agent.character_id] = {"name": name, "avatar": avatar, "description": description}
        self._known[agent.character_id] = agent
        return agent

    def get(self, character_id: str) -> Character | None:
        """The agent with this id."""
        return self._known.get(character_id)

    def all(self) -> list[Character]:
        """All agents, in the order in which they were made."""
        return list(self._known.values())

    def _load(self, service_id: str, entries: list[dict[str, Any]]) -> dict[str, Character]:
        # A channel of this name has its own dicts; this one is called like no other.
        self._storage = MoobiusStorage(service_id, OF_THE_SERVICE.storage, entries)
        return {
            agent_id: Character(agent_id, kept["name"], kept["avatar"], kept["description"], {"agent": True})
            for agent_id, kept in AGENTS.of(self._storage).items()
        }
