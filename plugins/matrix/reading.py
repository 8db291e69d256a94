"""The sync with the homeserver: one connection for all rooms, which are read each in a task of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mooring import Arrivals, PluginError, Service
from mooring.plugins.matrix.answers import JoinedRoom, Synced
from mooring.plugins.matrix.batches import Batch, History
from mooring.plugins.matrix.config import NETWORK, Config
from mooring.plugins.matrix.events import is_joining
from mooring.plugins.matrix.homeserver import Homeserver
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
        self._is_known = False
        """Whether the homeserver knows the token."""
        self._joined: set[str] = set()
        self._tried: set[str] = set()
        """The rooms that it asked to be let into; an invitation lets it ask again."""
        self._checked: set[str] = set()
        """The rooms of which it is known whether they are encrypted."""
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
                self._is_known = self._is_known and not isinstance(error, TokenRefused)
                await asyncio.sleep(self._status.failed(error))
        await asyncio.get_running_loop().create_future()  # until the service ends it

    async def _step(self) -> None:
        if not self._is_known:
            await self._log_in()
        if not self._since:
            await self._begin()
        synced = await self._homeserver.sync(self._since)
        if self._status.works():
            self._service.send_again(NETWORK)
        await self._take(synced)
        self._since = synced.next_batch

    async def _log_in(self) -> None:
        """Take the token that is there now, which has to be the bot's own."""
        token = await asyncio.to_thread(self._config.token)
        self._service.keep_secret(token)
        self._homeserver.token = token
        account = await self._homeserver.account()
        if account != self._config.user:
            raise TokenRefused(f"the access token is that of {account}, and not of {self._config.user}")
        self._is_known = True

    async def _begin(self) -> None:
        """Go on in each room where it was left."""
        synced = await self._homeserver.sync("")
        self._joined = set(await self._homeserver.joined_rooms())
        await self._follow(self._bound(), synced.next_batch, otherwise="")
        self._since = synced.next_batch
        self._status.works()
        self._service.send_again(NETWORK)

    async def _take(self, synced: Synced) -> None:
        rooms, bound = synced.rooms, self._bound()
        self._joined -= rooms.leave.keys()
        self._tried -= rooms.invite.keys()
        for room in rooms.invite.keys() - bound:
            log.info("%s is invited to %s; to accept, put matrix/%s into the rooms of a channel", self._config.user, room, room)
        for room, news in rooms.join.items():
            self._names.learn(room, [*news.state.events, *news.timeline.events])
            self._take_room(room, news, synced.next_batch, is_bound=room in bound)
        await self._follow(bound, synced.next_batch, otherwise=self._since)

    def _take_room(self, room: str, news: JoinedRoom, until: str, *, is_bound: bool) -> None:
        is_new = room not in self._joined or any(is_joining(event, self._config.user) for event in news.timeline.events)
        self._joined.add(room)
        if is_new:
            self._service.send_again(NETWORK)
        if is_bound and is_new:
            self._add(room, Batch("", until))  # what was said before the bot came is not for it
        elif is_bound and room in self._readers:
            self._add(room, Batch(self._since, until, tuple(news.timeline.events), not news.timeline.limited))

    async def _follow(self, bound: set[str], until: str, otherwise: str) -> None:
        """Begin with rooms that were bound since the last look, where they were left or else at a token, and leave those that are not any more."""
        for room in bound - self._joined - self._tried:
            await self._join(room)
            self._tried.add(room)
        for room in (bound & self._joined) - self._readers.keys():
            self._add(room, Batch(self._arrivals.mark(room) or otherwise, until))
        for room in (bound & self._joined) - self._checked:
            if await self._homeserver.is_encrypted(room):
                log.warning("%s is encrypted, so that nothing that is said there can be read; use a room without encryption", room)
            self._checked.add(room)
        for room in self._readers.keys() - bound:
            del self._readers[room]
            self._endings.pop(room)()

    def _add(self, room: str, batch: Batch) -> None:
        reader = self._readers.get(room)
        if reader is None:
            reader = RoomReader(room, self._arrivals, self._history, self._speech, lambda: self.is_accepting)
            self._readers[room] = reader
            self._endings[room] = self._service.spawn(reader.run, name=f"reading {NETWORK}/{room}", endless=True)
            self.panels.changed(room)
        reader.add(batch)

    async def _join(self, room: str) -> None:
        """Enter a room that a channel is bound to; a room that does not let the bot in is told of once."""
        try:
            await self._homeserver.join(room)
        except Refusal as error:
            log.warning("%s is not let into %s (%s); invite it", self._config.user, room, error)
        except Away as error:
            if not error.may_be_done:
                raise
            log.warning("whether %s came into %s is not known: %s", self._config.user, room, error)

    def _bound(self) -> set[str]:
        """The rooms of the network that channels have."""
        found: set[str] = set()
        for channel_id in self._service.channel_ids():
            found.update(room.id for room in self._service.rooms(channel_id) if room.network == NETWORK)
        return found
