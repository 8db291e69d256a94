"""The sync with the homeserver: one connection for all rooms, which are read each in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from mooring import Arrivals, PluginError, Service
from mooring.plugins.matrix.batches import Batch, History
from mooring.plugins.matrix.config import NETWORK, Config
from mooring.plugins.matrix.events import is_joining
from mooring.plugins.matrix.homeserver import Homeserver, JoinedRoom, Synced
from mooring.plugins.matrix.names import Names
from mooring.plugins.matrix.panels import Panels
from mooring.plugins.matrix.room_reader import RoomReader
from mooring.plugins.matrix.speech import Speech
from mooring.plugins.matrix.status import Status
from mooring.plugins.matrix.troubles import Away, Refusal, TokenRefused, Trouble

log = logging.getLogger(__name__)


class Reading:
    """Knows in which rooms the bot is, and has everything read that happens in those that are bound. `run` is to be run for ever."""

    def __init__(self, service: Service, config: Config, homeserver: Homeserver, status: Status) -> None:
        self._service = service
        self._config = config
        self._homeserver = homeserver
        self._status = status
        self._arrivals = Arrivals(service, NETWORK)
        self._names = Names(homeserver)
        self._history = History(homeserver, self._names, config.first_hours)
        self.panels = Panels(service, homeserver, config.prefix)
        self._speech = Speech(service, self.panels, config)
        self._since = ""
        self._joined: set[str] = set()
        self._readers: dict[str, RoomReader] = {}
        self._endings: dict[str, Callable[[], None]] = {}
        self.is_accepting = True

    def is_in(self, room: str) -> bool:
        """Whether the bot is in a room, as far as is known."""
        return room in self._joined

    def end(self) -> None:
        """Read no more."""
        self.is_accepting = False
        for end in self._endings.values():
            end()

    async def run(self) -> None:
        """Follow the homeserver."""
        while self.is_accepting:
            try:
                await self._step()
            except (Trouble, PluginError) as error:
                if isinstance(error, TokenRefused):
                    self._since = ""
                await asyncio.sleep(self._status.failed(error))
        await asyncio.get_running_loop().create_future()  # until the service ends it

    async def _step(self) -> None:
        if not self._since:
            await self._begin()
        synced = await self._homeserver.sync(self._since)
        if self._status.works():
            self._service.send_again(NETWORK)
        await self._take(synced)
        self._since = synced.next_batch

    async def _begin(self) -> None:
        """Say who this is, and go on in each room where it was left."""
        token = await asyncio.to_thread(self._config.token)
        self._service.keep_secret(token)
        self._homeserver.token = token
        account = await self._homeserver.account()
        if account != self._config.user:
            raise TokenRefused(f"the access token is that of {account}, and not of {self._config.user}")
        synced = await self._homeserver.sync("")
        self._joined = set(await self._homeserver.joined_rooms())
        for room in self._bound() - self._joined:
            await self._join(room, "invite it" if room not in synced.rooms.invite else "")
        for room in self._bound() & self._joined:
            await self._check(room)
            self._add(room, Batch(self._arrivals.mark(room), synced.next_batch))
            self.panels.changed(room)
        self._since = synced.next_batch
        self._status.works()
        self._service.send_again(NETWORK)

    async def _take(self, synced: Synced) -> None:
        rooms = synced.rooms
        for room in rooms.leave:
            self._joined.discard(room)
        for room in rooms.invite:
            if room in self._bound():
                await self._join(room)
            else:
                log.info("%s is invited to %s; to accept, put matrix/%s into the rooms of a channel", self._config.user, room, room)
        for room, news in rooms.join.items():
            self._take_room(room, news, synced.next_batch)

    def _take_room(self, room: str, news: JoinedRoom, until: str) -> None:
        self._names.learn(room, [*news.state.events, *news.timeline.events])
        is_new = room not in self._joined or any(is_joining(event, self._config.user) for event in news.timeline.events)
        self._joined.add(room)
        if is_new:
            self._service.send_again(NETWORK)
        if room not in self._bound():
            return
        if is_new:
            self.panels.changed(room)
            self._add(room, Batch("", until))  # what was said before the bot came is not for it
        else:
            self._add(room, Batch(self._since, until, tuple(news.timeline.events), not news.timeline.limited))

    async def _check(self, room: str) -> None:
        """Tell, once, of a room of which nothing can be read."""
        if room not in self._readers and await self._homeserver.is_encrypted(room):
            log.warning("%s is encrypted, so that nothing that is said there can be read; use a room without encryption", room)

    def _add(self, room: str, batch: Batch) -> None:
        reader = self._readers.get(room)
        if reader is None:
            reader = RoomReader(room, self._arrivals, self._history, self._speech, lambda: self.is_accepting)
            self._readers[room] = reader
            self._endings[room] = self._service.spawn(reader.run, name=f"reading {NETWORK}/{room}", endless=True)
        reader.add(batch)

    async def _join(self, room: str, remedy: str = "") -> None:
        """Enter a room that a channel is bound to; a room that does not let the bot in is told of once."""
        try:
            await self._homeserver.join(room)
        except Refusal as error:
            log.warning("%s is not let into %s (%s)%s", self._config.user, room, error, f"; {remedy}" if remedy else "")
        except Away as error:
            if not error.may_be_done:
                raise
            log.warning("whether %s came into %s is not known: %s", self._config.user, room, error)

    def _bound(self) -> set[str]:
        """The rooms of the network that channels have."""
        found: set[str] = set()
        for channel_id in self._service.channel_ids():
            with suppress(KeyError):  # one that is just being closed
                found.update(room.id for room in self._service.rooms(channel_id) if room.network == NETWORK)
        return found
