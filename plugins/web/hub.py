"""The gateway without its sockets: who is connected, who watches which channel, and what the service sends to whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mooring.channels.gauges import Reading
from mooring.events import Acknowledgement, Down, MessageBody
from mooring.plugins.web import frames
from mooring.plugins.web.admission import Reception
from mooring.plugins.web.config import Config
from mooring.plugins.web.frames import FrameError, UpFrame
from mooring.plugins.web.identity import Identities
from mooring.plugins.web.metrics import Metrics
from mooring.plugins.web.schema import History, HistoryUp, MessageUp
from mooring.plugins.web.sessions import Session, Wire
from mooring.plugins.web.throttle import Crowds
from mooring.protocols import Service

log = logging.getLogger(__name__)

SendToAll = Callable[[Iterable[Wire], bytes], None]


class Hub:
    """All sessions of one gateway. Everything here runs on the event loop, and nothing waits."""

    def __init__(self, service: Service, config: Config, identities: Identities, send_to_all: SendToAll) -> None:
        self.service = service
        self.config = config
        self.limits = config.limits
        self.identities = identities
        self.metrics = Metrics(self._readings)
        self.stopping = False
        self.now = asyncio.get_running_loop().time
        self._send_to_all = send_to_all
        self._sessions: set[Session] = set()
        self._watching: dict[str, dict[str, set[Session]]] = {channel_id: {} for channel_id in service.channel_ids()}
        self.reception = Reception(service, identities, config.limits.members_per_channel)
        self._crowds = Crowds(self._send)
        self.expected: set[asyncio.Future[Acknowledgement]] = set()
        """The answers that sessions wait for; they take them out when they have passed them on."""

    # --- sessions -------------------------------------------------------------------------------------------------

    def connect(self, wire: Wire) -> Session:
        """A new connection."""
        session = Session(self, wire, self.now())
        self._sessions.add(session)
        return session

    def sessions(self) -> list[Session]:
        """All of them, those that have not said hello included."""
        return list(self._sessions)

    async def finish(self) -> None:
        """Wait until everything that was submitted is answered."""
        while self.expected:
            await asyncio.wait(self.expected)

    def stop_accepting(self) -> None:
        """From here on events are turned away, and their senders told to come back."""
        self.stopping = True
        told = frames.encode_error(FrameError("stopping", "The service is going down for a moment. You will be back by yourself.", retry=True))
        self._send_to_all([session.wire for session in self._sessions], told)

    def forget(self, session: Session) -> None:
        """A session is gone: nobody sends to it any more, and its channels are told if it was its member's last."""
        self._sessions.discard(session)
        if session.identity is None:
            return
        member_id = session.identity.member_id
        for channel_id in session.channels:
            self._unwatch(session, channel_id, member_id)
        session.channels.clear()
        if not any(other.identity is not None and other.identity.member_id == member_id for other in self._sessions):
            self.reception.gone(member_id)

    # --- channels -------------------------------------------------------------------------------------------------

    def watch(self, session: Session, channel_id: str, after: int | None, request_id: str) -> None:
        """From here on the session gets what the channel sends; first the state, and what it missed.

        Nothing can come between the history and the first delivery, for nothing is awaited here.
        """
        identity = session.identity
        if identity is None:
            return
        self.reception.index(channel_id).add(identity.member_id, identity.name)
        # Messages last: by then everything around them stands, and they need not move.
        for down in sorted(self.service.current(channel_id, identity.member_id), key=lambda each: each.type == "characters"):
            session.wire.send(frames.encode_down(down))
        session.wire.send(self._missed(channel_id, identity.member_id, after, request_id))
        sessions = self._watching[channel_id].setdefault(identity.member_id, set())
        first = not sessions
        sessions.add(session)
        session.channels.add(channel_id)
        if first:
            self.service.presence(channel_id, identity.member_id, True)

    def left(self, channel_id: str, member_id: str) -> None:
        """A member has left: none of its sessions watches the channel any more."""
        for session in self._watching[channel_id].pop(member_id, set()):
            session.channels.discard(channel_id)
        self.reception.index(channel_id).remove(member_id)
        self.service.presence(channel_id, member_id, False)

    def _unwatch(self, session: Session, channel_id: str, member_id: str) -> None:
        sessions = self._watching[channel_id].get(member_id, set())
        sessions.discard(session)
        if not sessions:
            self._watching[channel_id].pop(member_id, None)
            self.service.presence(channel_id, member_id, False)

    # --- history --------------------------------------------------------------------------------------------------

    def _missed(self, channel_id: str, member_id: str, after: int | None, request_id: str) -> bytes:
        first, last = self.service.first_number(channel_id), self.service.last_number(channel_id)
        if after is not None and 0 < after <= last and first - 1 <= after:
            missed = self.service.history(channel_id, member_id, after=after, limit=last - after + 1)
            return self._history(channel_id, "missed", missed, False, request_id)
        # Also for who missed more than is kept, and for numbers from the future: that channel began anew.
        newest = self.service.history(channel_id, member_id, limit=self.config.first_messages + 1)
        return self._history(channel_id, "latest", newest[-self.config.first_messages :], len(newest) > self.config.first_messages, request_id)

    def older(self, member_id: str, asked: HistoryUp, request_id: str) -> bytes:
        """A page of messages before the ones that a member has."""
        page = self.service.history(asked.channel_id, member_id, before=asked.before, limit=asked.limit + 1)
        return self._history(asked.channel_id, "older", page[-asked.limit :], len(page) > asked.limit, request_id)

    def _history(self, channel_id: str, mode: Any, downs: Sequence[Down], more: bool, request_id: str) -> bytes:
        messages = [frames.to_message(down, self._sender_name(channel_id, down)) for down in downs]
        return frames.encode("history", History(channel_id, mode, messages, more, self.service.last_number(channel_id)), request_id)

    # --- down -----------------------------------------------------------------------------------------------------

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        """Send downs to those whom they are for; each is encoded once."""
        watching = self._watching.get(channel_id)
        if watching is None:
            return
        for down in downs:
            if down.type == "characters" and down.recipients is None:
                self._let_go(channel_id)
                self.reception.index(channel_id).keep_only((character.character_id, character.name) for character in down.body)
                self._crowds.offer(channel_id, down, len(watching) * len(down.body))
            else:
                self._send(channel_id, down)

    def _let_go(self, channel_id: str) -> None:
        """Whoever left through another process watches here no more."""
        members = self.service.members(channel_id)
        for member_id in [each for each in self._watching[channel_id] if each not in members]:
            self.left(channel_id, member_id)

    def _send(self, channel_id: str, down: Down) -> None:
        try:
            frame = frames.encode_down(down, self._sender_name(channel_id, down))
        except FrameError:
            log.exception("a %s of channel %s cannot be shown in the page", down.type, channel_id)
            return
        self.metrics.downs(down.type).inc()
        self._send_to_all((session.wire for session in _recipients(self._watching[channel_id], down)), frame)

    def _sender_name(self, channel_id: str, down: Down) -> str:
        return self.reception.name_of(channel_id, down.body.sender) if isinstance(down.body, MessageBody) else ""

    # --- counting -------------------------------------------------------------------------------------------------

    def count(self, frame: UpFrame, answer: Acknowledgement, seconds: float) -> None:
        """Note an acknowledged event."""
        result = "repeated" if answer.repeated else "done" if answer.ok else "refused"
        self.metrics.events(frame.type, result).inc()
        self.metrics.seconds(frame.type).observe(seconds)
        text = frame.body.content.text if isinstance(frame.body, MessageUp) else None
        if text and text.startswith("/"):
            self.metrics.commands(self.service.commands.name_of(text) or "unknown", result).inc()

    def _readings(self) -> Iterable[Reading]:
        channel_ids = list(self._watching)
        yield "mooring_connections", "Open connections.", [({}, len(self._sessions))]
        waiting = [session.wire.waiting() for session in self._sessions]
        yield "mooring_send_buffer_bytes", "Bytes that wait for slow readers, all together.", [({}, sum(waiting))]
        yield "mooring_send_buffer_largest_bytes", "Bytes that wait for the slowest reader.", [({}, max(waiting, default=0))]
        yield "mooring_members", "Members of a channel.", [({"channel": each}, len(self.service.members(each))) for each in channel_ids]
        yield "mooring_members_online", "Members who are connected.", [({"channel": each}, len(self._watching[each])) for each in channel_ids]
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


def _recipients(watching: dict[str, set[Session]], down: Down) -> Iterator[Session]:
    if down.recipients is None:
        for sessions in watching.values():
            yield from sessions
    else:
        for member_id in down.recipients:
            yield from watching.get(member_id, ())
