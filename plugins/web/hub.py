"""The gateway without its sockets: who is connected, who watches which channel, and what the service sends to whom."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from mooring import (
    CHARACTER_KINDS,
    Acknowledgement,
    Admission,
    AdmissionRefused,
    Down,
    HistoryPage,
    Reading,
    Service,
    ServiceError,
    SimpleAction,
    Throttle,
    UpEvent,
    missed_messages,
    older_messages,
)
from mooring.plugins.web import frames
from mooring.plugins.web.address_limits import of_many, per_minute
from mooring.plugins.web.config import Config
from mooring.plugins.web.connection import Connection, Transport
from mooring.plugins.web.down_schema import ChannelList, CharacterPageDown, HistoryDown
from mooring.plugins.web.frames import FrameError, UpFrame
from mooring.plugins.web.hello import applicant, channel_entries, welcome
from mooring.plugins.web.identity import Identities, Identity
from mooring.plugins.web.metrics import GatewayMetrics
from mooring.plugins.web.up_schema import CharacterPageUp, HistoryUp, MessageUp

log = logging.getLogger(__name__)

SendToAll = Callable[[Iterable[Transport], bytes], None]


class Hub:
    """All connections of one gateway. Everything here runs on the event loop, and nothing waits."""

    def __init__(self, service: Service, config: Config, identities: Identities, send_to_all: SendToAll) -> None:
        self.service = service
        self.config = config
        self.limits = config.limits
        self.identities = identities
        self.metrics = GatewayMetrics(self._readings)
        self.stopping = False
        self.now = asyncio.get_running_loop().time
        self._send_to_all = send_to_all
        self._connections: set[Connection] = set()
        self._watching: dict[str, dict[str, set[Connection]]] = {channel_id: {} for channel_id in service.channel_ids()}
        self.admission = Admission(service, config.limits.members_per_channel, lets_strangers_in=config.lets_strangers_in)
        self.frames = of_many((config.limits.frames_per_second, config.limits.burst))
        self.hellos = per_minute(config.limits.hellos_per_minute)
        self.joins = per_minute(config.limits.joins_per_minute)
        self._throttle = Throttle(service, self._send, lambda channel_id: len(self._watching.get(channel_id, ())))
        self._seen: dict[str, int] = {}
        """Up to which number of a channel's changes those who left were looked for."""
        self.are_roles_due = True
        """Whether members may have other roles than their tokens give them."""
        self.expected: set[asyncio.Future[Acknowledgement]] = set()
        """The answers that sessions wait for; they take them out when they have passed them on."""

    # --- connections ----------------------------------------------------------------------------------------------

    def connect(self, transport: Transport, address: str = "") -> Connection:
        """A new connection, from what counts as one address."""
        connection = Connection(transport, self.now(), address)
        self._connections.add(connection)
        return connection

    def connections(self) -> list[Connection]:
        """All of them, those that have not said hello included."""
        return list(self._connections)

    async def finish(self) -> None:
        """Wait until everything that was submitted is answered."""
        while self.expected:
            await asyncio.wait(self.expected)

    def stop_accepting(self) -> None:
        """From here on events are turned away, and their senders told to come back."""
        self.stopping = True
        frame = frames.encode_error(FrameError("stopping", "The service is going down for a moment. You will be back by yourself.", retry=True))
        self._send_to_all([connection.transport for connection in self._connections], frame)

    def refuse(self, connection: Connection, error: FrameError) -> None:
        """Tell a client why a frame was not taken."""
        self.metrics.refused.count(error.code)
        connection.transport.send(frames.encode_error(error))

    def end(self, connection: Connection, code: int, reason: str, metric: str) -> None:
        """Close a connection from here, once."""
        if not connection.is_gone:
            self.metrics.closed.count(metric)
            connection.transport.close(code, reason)
            self.gone(connection)

    def gone(self, connection: Connection) -> None:
        """A connection is no more: nobody sends to it any longer, and its channels are told if it was its member's last."""
        if connection.is_gone:
            return
        connection.is_gone = True
        self._connections.discard(connection)
        if connection.identity is None:
            return
        member_id = connection.identity.member_id
        for channel_id in connection.channels:
            self._unwatch(connection, channel_id, member_id)
        connection.channels.clear()
        self.admission.disconnected(member_id)

    # --- channels -------------------------------------------------------------------------------------------------

    def watch(self, connection: Connection, channel_id: str, after: int | None, request_id: str) -> None:
        """From here on the connection gets what the channel sends; first the state, and what it missed.

        Nothing can come between the history and the first delivery, for nothing is awaited here.
        """
        identity = connection.identity
        if identity is None or channel_id not in self._watching:  # the channel went after the event
            return
        member_id = identity.member_id
        watching = self._watching[channel_id].setdefault(member_id, set())
        # First, so that the list which is sent shows the member as one who is here.
        self.service.presence(channel_id, member_id, True, _session(connection))
        # Messages last: by then everything around them stands, and they need not move.
        for down in sorted(self.service.current(channel_id, member_id), key=lambda each: each.type in CHARACTER_KINDS):
            connection.transport.send(frames.encode_down(down))
        missed = missed_messages(self.service, channel_id, member_id, after, self.config.first_messages)
        connection.transport.send(self._history(channel_id, missed, request_id))
        watching.add(connection)
        connection.channels.add(channel_id)

    def left(self, channel_id: str, member_id: str) -> None:
        """A member has left: none of its connections watches the channel any more."""
        for connection in self._watching.get(channel_id, {}).pop(member_id, set()):
            connection.channels.discard(channel_id)
            self.service.presence(channel_id, member_id, False, _session(connection))

    def rename(self, connection: Connection, identity: Identity) -> None:
        """A member goes by another name from now on: the connection is welcomed anew, and the channels are told."""
        connection.identity = identity
        self.admission.renamed(identity.member_id, identity.name)
        connection.transport.send(frames.encode("welcome", welcome(identity, self.service, self.admission, self.identities)))
        for channel_id in list(connection.channels):
            with suppress(AdmissionRefused, ServiceError):  # then it is told when they join the next time
                facts = self.admission.admit(channel_id, applicant(identity, channel_id, connection.address))
                if facts is not None:
                    action = SimpleAction("join", channel_id, identity.member_id, facts)
                    answered = self.service.enqueue(UpEvent("join", secrets.token_hex(8), channel_id, identity.member_id, action))
                    self.expected.add(answered)
                    answered.add_done_callback(self._renamed)

    def _renamed(self, answered: asyncio.Future[Acknowledgement]) -> None:
        self.expected.discard(answered)
        if not answered.cancelled() and (error := answered.exception()) is not None:
            log.warning("somebody could not be called otherwise: %s", error)

    def channels_changed(self) -> None:
        """Let everybody know which channels there are; nobody watches one that is gone."""
        self.are_roles_due = True
        there = dict.fromkeys(self.service.channel_ids())
        for channel_id in [each for each in self._watching if each not in there]:
            for connections in self._watching.pop(channel_id).values():
                for connection in connections:
                    connection.channels.discard(channel_id)
            self._seen.pop(channel_id, None)
        for channel_id in there:
            self._watching.setdefault(channel_id, {})
        for connection in self._connections:
            if connection.identity is not None:
                entries = channel_entries(connection.identity, self.service, self.admission)
                connection.transport.send(frames.encode("channels", ChannelList(entries)))

    def _unwatch(self, connection: Connection, channel_id: str, member_id: str) -> None:
        if channel_id not in self._watching:
            return
        watching = self._watching[channel_id].get(member_id, set())
        watching.discard(connection)
        if not watching:
            self._watching[channel_id].pop(member_id, None)
        self.service.presence(channel_id, member_id, False, _session(connection))

    def characters(self, member_id: str, asked: CharacterPageUp, request_id: str) -> bytes:
        """The frame with a part of the list that a member is shown."""
        page = self.service.characters(asked.channel_id, member_id, prefix=asked.prefix, after=asked.after, limit=asked.limit)
        return frames.encode("character_page", CharacterPageDown(asked.channel_id, page.characters, page.following), request_id)

    def older(self, member_id: str, asked: HistoryUp, request_id: str) -> bytes:
        """The frame with a page of messages before the ones that a member has."""
        page = older_messages(self.service, asked.channel_id, member_id, asked.before, asked.limit)
        return self._history(asked.channel_id, page, request_id)

    def _history(self, channel_id: str, page: HistoryPage, request_id: str) -> bytes:
        messages = [frames.to_message(down, self._names(channel_id)) for down in page.downs]
        body = HistoryDown(channel_id, page.mode, messages, page.more, self.service.last_number(channel_id))
        return frames.encode("history", body, request_id)

    # --- down -----------------------------------------------------------------------------------------------------

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Send downs to those whom they are for; each is encoded once."""
        if not self._watching.get(channel_id):
            return
        for down in downs:
            if down.type not in CHARACTER_KINDS:
                self._send(channel_id, down)
        shown = [down for down in downs if down.type in CHARACTER_KINDS]
        if shown:
            self._throttle.offer(channel_id, shown)
        self._drop_departed(channel_id)

    def _drop_departed(self, channel_id: str) -> None:
        """Whoever left through another process watches here no more."""
        changes = self.service.member_changes(channel_id, self._seen.get(channel_id, -1))
        if changes.number == self._seen.get(channel_id):
            return
        self._seen[channel_id] = changes.number
        members, watching = self.service.members(channel_id), self._watching[channel_id]
        for member_id in list(watching) if changes.member_ids is None else changes.member_ids:
            if member_id in watching and member_id not in members:
                self.left(channel_id, member_id)

    def _send(self, channel_id: str, down: Down) -> None:
        try:
            frame = frames.encode_down(down, self._names(channel_id))
        except FrameError:
            log.exception("a %s of channel %s cannot be shown in the page", down.type, channel_id)
            return
        self.metrics.downs.count(down.type)
        self._send_to_all((connection.transport for connection in _recipients(self._watching.get(channel_id, {}), down)), frame)

    def _names(self, channel_id: str) -> frames.NameOf:
        return partial(self.admission.name_of, channel_id)

    # --- counting -------------------------------------------------------------------------------------------------

    def count(self, frame: UpFrame, answer: Acknowledgement, seconds: float) -> None:
        """Note an acknowledged event."""
        result = "repeated" if answer.repeated else "done" if answer.ok else "refused"
        self.metrics.events.count(frame.type, result)
        self.metrics.seconds.observe(seconds, frame.type)
        text = frame.body.content.text if isinstance(frame.body, MessageUp) else None
        if text and text.startswith("/"):
            self.metrics.commands.count(self.service.commands.name_of(text) or "unknown", result)

    def _readings(self) -> Iterable[Reading]:
        # Not `_watching`: the page of metrics is made in a thread, and the service knows what is gone by now.
        channel_ids = [each for each in self.service.channel_ids() if each in self._watching]
        yield "mooring_connections", "Open connections.", [({}, len(self._connections))]
        waiting = [connection.transport.waiting() for connection in self._connections]
        yield "mooring_send_buffer_bytes", "Bytes that wait for slow readers, all together.", [({}, sum(waiting))]
        yield "mooring_send_buffer_largest_bytes", "Bytes that wait for the slowest reader.", [({}, max(waiting, default=0))]
        yield "mooring_members", "Members of a channel.", [({"channel": each}, len(self.service.members(each))) for each in channel_ids]
        yield "mooring_members_online", "Members who are connected.", [({"channel": each}, len(self._watching.get(each, ()))) for each in channel_ids]
        yield (
            "mooring_queue_depth",
            "Events that wait in a channel's queue.",
            [({"channel": each}, self.service.queue_depth(each)) for each in channel_ids],
        )
        commits = ((each, self.service.last_commit(each)) for each in channel_ids)
        yield (
            "mooring_last_commit_seconds",
            "When a channel last committed.",
            [({"channel": each}, when) for each, when in commits if when is not None],
        )


def _session(connection: Connection) -> Hashable:
    return ("web", id(connection))


def _recipients(watching: dict[str, set[Connection]], down: Down) -> Iterator[Connection]:
    if down.recipients is None:
        for member_id, connections in watching.items():
            if member_id not in down.besides:
                yield from connections
    else:
        for member_id in down.recipients:
            yield from watching.get(member_id, ())
