"""Members with clients that lose their connection, and a network between them and the service that is no better.

A client sends an event again, with the same id, until it has heard the answer. A connection keeps the order of what it carries; when it is
cut, all that is under way in it is lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mooring import (
    Acknowledgement,
    ButtonClick,
    Down,
    MenuItemClick,
    MessageBody,
    MessageContent,
    ServiceError,
    SimpleAction,
    UpBody,
    UpEvent,
    UpType,
    missed_messages,
)
from mooring.events import TEXT

if TYPE_CHECKING:
    from mooring import ChannelService, MoobiusStorage
    from tests.simulation.sites import Site
    from tests.simulation.world import World

_EVERYTHING = 1_000_000
_APART = 1e-6
"""Seconds between two frames: what is due at the very same time has no order."""


@dataclass
class Network:
    """How bad it is."""

    delay: float = 0.01
    cut_rate: float = 0.0
    double_rate: float = 0.0
    loss_rate: float = 0.0
    """How often a connection to the shared server breaks, at each commit and at each answer."""


class Session:
    """One connection of one client to one process."""

    def __init__(self, gateway: SimulatedGateway, client: Client) -> None:
        self.gateway = gateway
        self.client = client
        self.is_open = True
        self.is_attached = False
        self._busy = {"up": 0.0, "down": 0.0}
        gateway.sessions.append(self)

    def carry(self, way: str, call: Callable[..., None], *what: Any) -> None:
        """Deliver something in its order, after a while, if the connection lasts."""
        world = self.client.world
        if world.random.random() < world.network.cut_rate:
            self.cut()
            return
        due = max(self._busy[way] + _APART, world.loop.time() + world.random.expovariate(1 / world.network.delay))
        self._busy[way] = due
        world.loop.call_at(due, self._arrive, call, what, context=world.context)

    def cut(self) -> None:
        """Nothing more comes through; both ends hear of it later."""
        if self.is_open:
            self.is_open = False
            world = self.client.world
            world.note("cut", self.client.member_id)
            world.loop.call_later(world.random.expovariate(1 / world.network.delay), self.gateway.gone, self, context=world.context)
            world.loop.call_later(world.random.expovariate(1 / world.network.delay), self.client.lost, self, context=world.context)

    def _arrive(self, call: Callable[..., None], what: tuple[Any, ...]) -> None:
        if self.is_open:
            call(*what)


class SimulatedGateway:
    """The gateway of one process: as the page's, without sockets."""

    address = ""
    kinds = None

    def __init__(self, world: World, service: ChannelService, name: str, site: Site) -> None:
        self.world = world
        self.name = name
        self.site = site
        self._service = service
        self.sessions: list[Session] = []
        self._attached: dict[str, list[Session]] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self.is_accepting = True
        self.numbers: dict[str, int] = {}

    def stop_accepting(self) -> None:
        self.is_accepting = False

    def deliver(self, channel_id: str, downs: Sequence[Down]) -> None:
        self.world.invariants.delivered(self, channel_id, downs)
        for session in self._attached.get(channel_id, ()):
            member_id = session.client.member_id
            for down in downs:
                if down.type == "message_down" and (down.recipients is None or member_id in down.recipients):
                    session.carry("down", session.client.heard, session, down)

    def storage(self, channel_id: str) -> MoobiusStorage | None:
        """What the process keeps of a channel, None if it has let go of it."""
        return self._service.channels.get(channel_id) if self.is_accepting else None

    def count(self, channel_id: str, number: int) -> None:
        """A message was given to this gateway: no number is left out, and none comes twice."""
        known = self.numbers.get(channel_id)
        if known is not None:
            # What is edited again before others hear of it comes to them once, under its last number.
            is_next = number > known if self.world.is_shared else number == known + 1
            self.world.check(is_next, f"{self.name} told message {number} after {known}")
        self.numbers[channel_id] = number

    def submit(self, session: Session, event: UpEvent) -> None:
        """An event has come in."""
        if not self.is_accepting:
            return
        try:
            done = self._service.enqueue(event)
        except ServiceError:
            session.carry("down", session.client.try_again, session, event.request_id)
            return
        order = self.world.invariants.entered(self, event)
        done.add_done_callback(lambda done: self._answer(session, event, order, done), context=self.world.context)

    def gone(self, session: Session) -> None:
        """A connection has ended."""
        self.sessions.remove(session)
        if session.is_attached:
            session.is_attached = False
            channel_id, member_id = session.client.channel_id, session.client.member_id
            self._attached[channel_id].remove(session)
            self._counts[channel_id, member_id] -= 1
            if not self._counts[channel_id, member_id] and self.is_accepting:
                self._service.presence(channel_id, member_id, False)

    def end(self) -> None:
        """The process is gone, and all its connections with it."""
        self.is_accepting = False
        for session in tuple(self.sessions):
            session.cut()

    def _answer(self, session: Session, event: UpEvent, order: int, done: Any) -> None:
        error = None if done.cancelled() else done.exception()
        answer = None if done.cancelled() or error is not None else done.result()
        self.world.invariants.answered(self, event, order, answer, error)
        if not session.is_open:
            return
        if answer is None:
            session.carry("down", session.client.try_again, session, event.request_id)
            return
        if event.type == "join" and answer.ok and not session.is_attached and self.is_accepting:
            self._attach(session)
        session.carry("down", session.client.answered, session, answer)

    def _attach(self, session: Session) -> None:
        client = session.client
        channel_id, member_id = client.channel_id, client.member_id
        session.is_attached = True
        self._attached.setdefault(channel_id, []).append(session)
        self._counts[channel_id, member_id] = self._counts.get((channel_id, member_id), 0) + 1
        self._service.presence(channel_id, member_id, True)
        page = missed_messages(self._service, channel_id, member_id, client.last or None, _EVERYTHING)
        session.carry("down", client.caught_up, session, page.mode, page.downs)


@dataclass
class Client:
    """One member in one channel, with a list of things to do."""

    world: World
    member_id: str
    channel_id: str
    plan: list[tuple[UpType, UpBody]]
    window: int
    """How many events it has under way at once."""
    last: int = 0
    messages: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    answers: dict[str, Acknowledgement] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._session: Session | None = None
        self._joined = False
        self._joins = 0
        self._under_way: dict[str, UpEvent] = {}
        self._sent = 0

    @property
    def is_done(self) -> bool:
        """Whether it has heard the answers to all that it did, and is connected."""
        return not self.plan and not self._under_way and self._joined

    def start(self) -> None:
        """Connect, as soon as somebody listens."""
        self._session, self._joined = None, False
        gateway = self.world.pick_gateway(self.channel_id)
        if gateway is None:
            self._later(0.1, self.start)
            return
        self._session = Session(gateway, self)
        self._joins += 1
        action = SimpleAction("join", self.channel_id, self.member_id, {"name": self.member_id})
        self._send(UpEvent("join", f"{self.member_id}.{self.channel_id}-join-{self._joins}", self.channel_id, self.member_id, action))
        self._later(5.0, self._look_after, self._session)

    def lost(self, session: Session) -> None:
        """The connection is gone."""
        if session is self._session:
            self._session = None
            self._later(0.05, self.start)

    def try_again(self, session: Session, request_id: str) -> None:
        """The service could not take it now."""
        if session is self._session:
            self._later(0.1, self._send_again, session, request_id)

    def answered(self, session: Session, answer: Acknowledgement) -> None:
        """The service has answered."""
        if session is not self._session:
            return
        if "-join-" in answer.request_id:
            if not answer.ok:
                session.cut()
            elif not self._joined:
                self._joined = True
                for event in self._under_way.values():
                    self._send(event)
                self._go_on()
            return
        self.world.note("heard", answer.request_id, answer.ok)
        if self._under_way.pop(answer.request_id, None) is not None:
            self.answers[answer.request_id] = answer
            self._later(0.01, self._go_on)

    def heard(self, session: Session, down: Down) -> None:
        """A message has come in."""
        if session is self._session:
            if down.number:
                self.world.check(down.number > self.last, f"{self.member_id} was shown {down.number} after {self.last}")
            self._take(down)

    def caught_up(self, session: Session, mode: str, downs: list[Down]) -> None:
        """What was missed has come in."""
        if session is self._session:
            if mode == "latest":
                self.messages.clear()
            for down in downs:
                self._take(down)

    def _take(self, down: Down) -> None:
        if down.number:
            self.last = max(self.last, down.number)
            self.messages[down.body.message_id] = (down.number, down.body.content.text)

    def _go_on(self) -> None:
        while self._joined and self.plan and len(self._under_way) < self.window:
            kind, body = self.plan.pop(0)
            self._sent += 1
            event = UpEvent(kind, f"{self.member_id}.{self.channel_id}-{self._sent}", self.channel_id, self.member_id, body)
            self._under_way[event.request_id] = event
            self.world.invariants.asked(event)
            self._send(event)

    def _send(self, event: UpEvent) -> None:
        session, world = self._session, self.world
        if session is not None:
            session.carry("up", session.gateway.submit, session, event)
            if world.random.random() < world.network.double_rate:
                session.carry("up", session.gateway.submit, session, event)

    def _send_again(self, session: Session, request_id: str) -> None:
        """This one and all after it, so that they stay in order."""
        if session is not self._session:
            return
        if "-join-" in request_id:
            session.cut()
            return
        if request_id in self._under_way:
            names = list(self._under_way)
            for name in names[names.index(request_id) :]:
                self._send(self._under_way[name])

    def _look_after(self, session: Session) -> None:
        """A client that hears nothing for long connects anew."""
        if session is self._session and session.is_open:
            if self._under_way or not self._joined:
                session.cut()
            else:
                self._later(5.0, self._look_after, session)

    def _later(self, seconds: float, call: Callable[..., None], *what: Any) -> None:
        self.world.loop.call_later(self.world.random.uniform(0.5, 1.5) * seconds, call, *what, context=self.world.context)


def plan_of(seed: random.Random, channel_id: str, member_id: str, others: Sequence[str], length: int) -> list[tuple[UpType, UpBody]]:
    """Things to do, by the seed."""
    plan: list[tuple[UpType, UpBody]] = []
    for _ in range(length):
        other = seed.choice(others)
        some, seconds = seed.randint(1, 60), seed.randint(1, 9)
        line = seed.choice((
            f"/give {other} {some}", f"/carry {other} {some}", f"/later {other} {seconds}", f"/fail {other}", "/hit", "/hit",
            "/whisper hush", "/write note", "/write more", "hello", "press", "praise", "/nonsense", f"/abroad {seconds}",
        ))  # fmt: skip
        if line == "press":
            plan.append(("button_click", ButtonClick("press", channel_id, member_id)))
        elif line == "praise":
            plan.append(("menu_item_click", MenuItemClick("praise", TEXT, MessageContent(text="x"), channel_id, member_id)))
        else:
            plan.append(("message_up", MessageBody(TEXT, channel_id, MessageContent(text=line), sender=member_id)))
    return plan
