"""Characters that no person plays."""

from __future__ import annotations

import secrets

from plugins._events import Character


class Agents:
    """The agents of one service, known in all of its channels."""

    def __init__(self) -> None:
        self._known: dict[str, Character] = {}

    async def create(self, name: str, avatar: str | None, description: str | None) -> Character:
        """Make an agent with an id of its own."""
        agent = Character(f"agent-{secrets.token_hex(8)}", name, avatar, description, {"agent": True})
        self._known[agent.character_id] = agent
        return agent

    def get(self, character_id: str) -> Character | None:
        """The agent with this id."""
        return self._known.get(character_id)

    def all(self) -> list[Character]:
        """All agents, in the order in which they were made."""
        return list(self._known.values())
