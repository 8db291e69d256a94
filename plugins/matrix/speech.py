"""What somebody means who says something in a room: a command, a choice, or just what they say."""

from __future__ import annotations

from mooring import Clicked, Left, Said, Service
from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.config import Config
from mooring.plugins.matrix.panels import Panels


class Speech:
    """Commands may have another sign in front of them here, as many clients keep the slash for commands of their own."""

    def __init__(self, service: Service, panels: Panels, config: Config) -> None:
        self._service = service
        self._panels = panels
        self._user, self._prefix = config.user, config.prefix

    def pass_by(self, room: str, event: Event) -> None:
        """Take note of what happened in between."""
        if event.get("sender") == self._user:
            self._panels.read(room, event)

    async def meant(self, room: str, event: Event, what: Said | Left) -> Said | Left | Clicked:
        """What it is to the channel. Raises Trouble."""
        if isinstance(what, Left):
            return what
        text = what.content.text or ""
        choice = await self._panels.choice(room, text, event)
        if choice is not None:
            return choice
        line = f"/{text.removeprefix(self._prefix)}"
        is_command = text.startswith(self._prefix) and self._service.commands.name_of(line) is not None
        return Said.text(line) if is_command else what
