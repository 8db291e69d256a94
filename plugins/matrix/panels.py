"""The messages with choices: in each room what its channel shows to all, whenever it changes, and after every crash."""

from __future__ import annotations

import asyncio
import hashlib

from mooring import DOWN_KINDS, Button, Clicked, Room, Service
from mooring.plugins.matrix.answers import Event
from mooring.plugins.matrix.choices import CHOICES, Panel, chosen, content_of_panel, panel_in, panel_of
from mooring.plugins.matrix.config import NETWORK
from mooring.plugins.matrix.events import answered_by
from mooring.plugins.matrix.homeserver import Homeserver
from mooring.plugins.matrix.troubles import Refusal, Trouble

BUTTONS = DOWN_KINDS["buttons"].name
_PAUSE = 5.0


class Panels:
    """`run` is to be run for ever. What single members are shown is not shown in rooms, which show everything to all."""

    def __init__(self, service: Service, homeserver: Homeserver, prefix: str) -> None:
        self._service = service
        self._homeserver = homeserver
        self._prefix = prefix
        self._posted: dict[str, Panel] = {}
        """The newest in each room."""
        self._seen: dict[str, Panel] = {}
        """The newest before the place up to which a room was read: to which answers are that are read next."""
        self._changed: set[str] = set()
        self._woken = asyncio.Event()

    def changed(self, room: str) -> None:
        """Look whether a room shows what it is to show."""
        self._changed.add(room)
        self._woken.set()

    def read(self, room: str, event: Event) -> None:
        """An event of the bot's own, on the way through a room's history."""
        panel = panel_in(event)
        if panel is not None:
            self._seen[room] = panel

    async def choice(self, room: str, text: str, event: Event) -> Clicked | None:
        """The button that somebody chose by what they said in an event. Raises Trouble."""
        answers = answered_by(event)
        is_marked = text.startswith(self._prefix)
        number = text.removeprefix(self._prefix)
        if not number[:1].isdecimal() or not (is_marked or answers):
            return None
        if room not in self._seen:
            self._seen[room] = await self._before(room, event["event_id"])
        panel = self._seen[room]
        return chosen(number, panel, self._buttons(room)) if is_marked or answers == panel.event_id else None

    async def run(self) -> None:
        """Show what is to be shown."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._changed:
                room = self._changed.pop()
                try:
                    await self._show(room)
                except Refusal:
                    self._posted.pop(room, None)  # what it may not say there, the sending of messages tells
                except Trouble as error:
                    self._posted.pop(room, None)  # perhaps it was taken all the same
                    self._changed.add(room)
                    await asyncio.sleep(error.seconds or _PAUSE)

    async def _show(self, room: str) -> None:
        if room not in self._posted:
            self._posted[room] = await self._newest(room)
        shown, wanted = self._posted[room], panel_of(self._buttons(room), self._prefix)
        if (shown.ids, shown.text) == (wanted.ids, wanted.text):
            return
        key = hashlib.sha256(f"{CHOICES}\n{room}\n{shown}\n{wanted}".encode("utf-8", "surrogatepass")).hexdigest()[:24]
        if wanted.ids:
            event_id = await self._homeserver.send(room, content_of_panel(wanted, shown), key)
            self._posted[room] = Panel(shown.event_id if wanted.ids == shown.ids else event_id, wanted.ids, wanted.text)
        else:
            await self._homeserver.redact(room, shown.event_id, key)
            self._posted[room] = Panel()

    async def _before(self, room: str, event_id: str) -> Panel:
        try:
            return await self._newest(room, (await self._homeserver.tokens_around(room, event_id))[0])
        except Refusal:
            return Panel()  # nobody can tell any more what was meant

    async def _newest(self, room: str, before: str = "") -> Panel:
        own = await self._homeserver.own_newest(room, "m.room.message", before)
        return next((panel for panel in map(panel_in, own) if panel is not None), Panel())

    def _buttons(self, room: str) -> list[Button]:
        """What the channel of a room shows to all."""
        channel_id = self._service.channel_of(Room(NETWORK, room))
        shown = [] if channel_id is None else self._service.current(channel_id, "")
        return next((list(down.body) for down in shown if down.type == BUTTONS), [])
