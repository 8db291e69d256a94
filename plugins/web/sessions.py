"""One member's connection, seen without its socket: what comes in, what it may do, what goes back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from mooring import Acknowledgement, AdmissionRefused, ChannelBusy, OutcomeNotKnown, ServiceError, ServiceStopping, TokenBucket, UpEvent
from mooring.plugins.web import frames
from mooring.plugins.web.address_limits import BucketsByAddress
from mooring.plugins.web.connection import Connection
from mooring.plugins.web.down_schema import ErrorCode, Pong
from mooring.plugins.web.frames import FrameError, UpFrame
from mooring.plugins.web.hello import applicant, introduce, look_up, trade_in, welcome
from mooring.plugins.web.hub import Hub
from mooring.plugins.web.identity import Identity
from mooring.plugins.web.up_schema import CharacterPageUp, EventUp, Hello, HistoryUp, Join, Leave

_RETRIED: Mapping[type[ServiceError], ErrorCode] = {ChannelBusy: "busy", ServiceStopping: "stopping", OutcomeNotKnown: "outcome_not_known"}
"""What may succeed, or be answered, when the same frame is sent again."""

log = logging.getLogger(__name__)

_PATIENCE = 200
"""Refused frames in a row after which a client is taken for broken or hostile."""


class Session:
    """What one client says, from its first frame on."""

    def __init__(self, hub: Hub, connection: Connection) -> None:
        self._hub = hub
        self._connection = connection
        self._bucket = TokenBucket(hub.limits.frames_per_second, hub.limits.burst, connection.began)
        self._in_flight = 0
        self._refused_in_a_row = 0
        self._is_saying_hello = False
        """Whether a guest's token is being traded in, which takes a moment."""

    def receive(self, data: str | bytes) -> None:
        """Take one message from the client; whatever it holds, the answer is a frame."""
        now = self._hub.now()
        self._connection.heard = now
        try:
            self._admit(data, now)
            frame = frames.decode(data)
            self._hub.metrics.frames.count(frame.type)
            self._dispatch(frame)
            self._refused_in_a_row = 0
        except FrameError as error:
            self._refuse(error)
            self._hand_on(error)
            self._refused_in_a_row += 1
            if self._refused_in_a_row > _PATIENCE:
                self._hub.end(self._connection, 1008, "too many frames that could not be taken", "refused")

    def _hand_on(self, error: FrameError) -> None:
        """A frame that is unknown here may have a meaning for the service's author."""
        identity = self._connection.identity
        if isinstance(error, frames.UnknownFrame) and identity is not None and (payload := error.payload(identity.member_id)) is not None:
            self._hub.service.unknown_payload(payload)

    def _admit(self, data: str | bytes, now: float) -> None:
        if not self._bucket.take(now) or not self._hub.frames.of(self._connection.address, now).take(now):
            told = "You, or others at your address, are sending faster than this service takes it. Wait a second."
            raise FrameError("too_fast", told, frames.request_id(data), retry=True)
        if len(data) > self._hub.limits.frame_size:
            text = f"A frame has at most {self._hub.limits.frame_size} characters; this one has {len(data)}."
            raise FrameError("too_large", text, frames.request_id(data))

    def _dispatch(self, frame: UpFrame) -> None:
        body = frame.body
        if isinstance(body, Hello):
            self._hello(body, frame.request_id)
        elif frame.type == "ping":
            self._send(frames.encode("pong", Pong(), frame.request_id))
        elif (identity := self._connection.identity) is None:
            raise FrameError("hello_first", "The first frame is hello, with a name or a token.", frame.request_id)
        elif isinstance(body, HistoryUp):
            self._check_watching(body.channel_id, frame.request_id)
            self._send(self._hub.older(identity.member_id, body, frame.request_id))
        elif isinstance(body, CharacterPageUp):
            self._check_watching(body.channel_id, frame.request_id)
            self._send(self._hub.characters(identity.member_id, body, frame.request_id))
        else:
            self._start(frame, identity)

    def _check_pace(self, buckets: BucketsByAddress, what: str, request_id: str) -> None:
        """Raise FrameError if somebody's address has done something too often."""
        seconds = buckets.refusal_seconds(self._connection.address, self._hub.now())
        if seconds:
            raise FrameError("too_fast", f"There are too many {what} from your address. Wait {seconds} seconds.", request_id, retry=True)

    def _hello(self, body: Hello, request_id: str) -> None:
        self._check_pace(self._hub.hellos, "hellos", request_id)
        if self._connection.identity is not None:
            raise FrameError("malformed", "This connection has said hello already.", request_id)
        if self._is_saying_hello:
            raise FrameError("malformed", "This connection is saying hello already.", request_id)
        admission, identities = self._hub.admission, self._hub.identities
        if body.token is not None and body.guest is not None:
            self._introduce_later(partial(trade_in, body.token, body.guest, identities, request_id), request_id)
        elif body.token is not None and identities.is_unknown(body.token):
            self._introduce_later(partial(look_up, body, admission, identities, request_id), request_id)
        else:
            self._welcome(introduce(body, admission, identities, request_id), request_id)

    def _introduce_later(self, find: Callable[[], Awaitable[Identity]], request_id: str) -> None:
        """Answer a hello for which something is written or asked first, while others go on."""
        self._is_saying_hello = True
        self._hub.service.spawn(self._introduce(find, request_id), name="hello with a token")

    async def _introduce(self, find: Callable[[], Awaitable[Identity]], request_id: str) -> None:
        try:
            identity = await find()
            if not self._connection.is_gone:
                self._welcome(identity, request_id)
        except FrameError as error:
            self._refuse(error)
        finally:
            self._is_saying_hello = False

    def _welcome(self, identity: Identity, request_id: str) -> None:
        hub = self._hub
        self._connection.identity = identity
        hub.identities.came_in(identity)
        hub.admission.connected(identity.member_id, identity.name)
        self._send(frames.encode("welcome", welcome(identity, hub.service, hub.admission, hub.identities), request_id))

    def _check_watching(self, channel_id: str, request_id: str) -> None:
        if channel_id not in self._connection.channels:
            raise FrameError("not_joined", "Join the channel first.", request_id)

    def _start(self, frame: UpFrame, identity: Identity) -> None:
        if self._hub.stopping:
            raise FrameError("stopping", str(ServiceStopping()), frame.request_id, retry=True)
        if self._in_flight >= self._hub.limits.in_flight:
            raise FrameError("busy", "Too many of your events wait for their answers. Wait for some of them.", frame.request_id, retry=True)
        if isinstance(frame.body, EventUp) and not isinstance(frame.body, Join):
            self._check_watching(frame.body.channel_id, frame.request_id)
        began = self._hub.now()
        try:
            event = self._event(frame, identity)
            if event is None:
                self._acknowledge(frame, Acknowledgement(frame.request_id), began)
                return
            answered = self._hub.service.enqueue(event)
        except FrameError as error:
            self._refuse(error)
            return
        except ServiceError as error:
            self._refuse(_refusal(error, frame.request_id))
            return
        # Nothing is awaited here: a channel that hangs must not keep the member's other channels waiting.
        self._in_flight += 1
        self._hub.expected.add(answered)
        answered.add_done_callback(partial(self._answered, frame, began))

    def _event(self, frame: UpFrame, identity: Identity) -> UpEvent | None:
        """What the service has to handle; None for a join that changes nothing. Raises FrameError and UnknownChannel."""
        if not isinstance(frame.body, Join):
            return frames.to_event(frame, identity.member_id)
        self._check_pace(self._hub.joins, "joins", frame.request_id)
        channel_id = frame.body.channel_id
        try:
            joining = self._hub.admission.admit(channel_id, applicant(identity, channel_id, self._connection.address), frame.body.after or 0)
        except AdmissionRefused as error:
            raise FrameError(error.code, str(error), frame.request_id) from error
        return None if joining is None else frames.to_event(frame, identity.member_id, joining)

    def _answered(self, frame: UpFrame, began: float, answered: asyncio.Future[Acknowledgement]) -> None:
        self._in_flight -= 1
        self._hub.expected.discard(answered)
        error = None if answered.cancelled() else answered.exception()
        if isinstance(error, ServiceError):
            self._refuse(_refusal(error, frame.request_id))
        elif error is not None:
            log.error("an event could not be answered", exc_info=error)
            told = "Something went wrong here, and it is not known whether this was done. It is asked again."
            self._refuse(FrameError("outcome_not_known", told, frame.request_id, retry=True))
        elif not answered.cancelled():
            self._acknowledge(frame, answered.result(), began)

    def _acknowledge(self, frame: UpFrame, answer: Acknowledgement, began: float) -> None:
        body = frame.body
        try:
            if isinstance(body, Join) and answer.ok and not self._connection.is_gone:
                self._hub.watch(self._connection, body.channel_id, body.after, frame.request_id)
            elif isinstance(body, Leave) and answer.ok and self._connection.identity is not None:
                self._hub.left(body.channel_id, self._connection.identity.member_id)
            self._hub.count(frame, answer, self._hub.now() - began)
            self._send(frames.encode_ack(answer))
        except FrameError as error:
            self._refuse(error)

    def _send(self, frame: bytes) -> None:
        self._connection.transport.send(frame)

    def _refuse(self, error: FrameError) -> None:
        self._hub.refuse(self._connection, error)


def _refusal(error: ServiceError, request_id: str) -> FrameError:
    code = _RETRIED.get(type(error))
    if code is not None:
        return FrameError(code, str(error), request_id, retry=True)
    return FrameError("unknown_channel", str(error), request_id)
