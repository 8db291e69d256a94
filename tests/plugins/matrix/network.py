"""Two rooms of a homeserver as the suite for gateways sees a network."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mooring.gateways.conformance import NetworkInTests
from tests.plugins.matrix.synapse import Synapse


class Matrix(NetworkInTests):
    """A bot of its own in two new rooms."""

    can_edit = can_delete = True

    def __init__(self, synapse: Synapse, folder: Path, bot: str, *, here: str = "") -> None:
        """`here` is a room that is there already, into which the bot comes."""
        self.synapse = synapse
        self.address = synapse.address
        self.bot = f"@{bot}:localhost"
        self.token = synapse.register(bot)
        self.token_file = folder / "token"
        self.token_file.write_text(self.token)
        self.rooms = [here or synapse.make_room(), synapse.make_room(bot=self.token)]
        synapse.ask("POST", f"join/{self.rooms[0]}", token=self.token, json={})
        self.here, self.there = (f"matrix/{room}" for room in self.rooms)
        self._in_room: set[str] = set()

    def config(self) -> dict[str, Any]:
        config = {"homeserver": self.address, "user": self.bot, "token_file": str(self.token_file)}
        return {"plugins": [{"name": "matrix", "config": config}], "plugin_folders": []}

    async def say(self, user: str, text: str, *, event: str, name: str = "") -> None:
        if user not in self._in_room:
            self._in_room.add(user)
            self.synapse.enter(self.rooms[0], user, name)
        self.synapse.say(self.rooms[0], user, text, event=event)

    def shown(self, room: str, by: str = "owner") -> list[str]:
        """Texts without the names of who said them, as edits and redactions left them."""
        seen: dict[str, str] = {}
        for event in self.synapse.events(room.removeprefix("matrix/"), by):
            content = event["content"]
            if event["type"] == "m.room.redaction":
                seen.pop(content.get("redacts", event.get("redacts")), None)
            if event["sender"] != self.bot or event["type"] != "m.room.message" or "body" not in content:
                continue
            relation = content.get("m.relates_to", {})
            edited = relation.get("event_id") if relation.get("rel_type") == "m.replace" else None
            if edited in seen or edited is None:
                seen[edited or event["event_id"]] = said_in(content.get("m.new_content", content), content.get("org.mooring.sender", ""))
        return list(seen.values())

    @contextmanager
    def away(self) -> Iterator[None]:
        self.synapse.stop(signal.SIGKILL)
        try:
            yield
        finally:
            self.synapse.start()


def said_in(content: dict[str, Any], sender: str) -> str:
    """A body without the name before it."""
    body: str = content["body"]
    prefix = f"{sender}:" if sender else ""
    assert body.startswith(prefix)
    return body[len(prefix) + 1 :] if prefix else body
