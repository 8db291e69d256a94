"""The turn: one event in hand, and how code that runs in it finds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from mooring.channels.held_values import HeldValues
from mooring.channels.history import History
from mooring.channels.ignores import Ignores
from mooring.channels.members_in_turn import MembersInTurn
from mooring.channels.quota import Quota
from mooring.channels.screen import Screen
from mooring.channels.sends import Sends
from mooring.clock import in_hand
from mooring.errors import HandlerTimeout
from mooring.events import UpEvent
from mooring.protocols import Service
from mooring.threads import Job, Threads
from storage import MoobiusStorage


@dataclass
class Turn:
    """Everything that handlers of one event need; a Context is made from it.

    `event` is None and `member_id` empty when no member stands behind it (work of a plugin, a timer).
    """

    service: Service
    channel_id: str
    storage: MoobiusStorage
    members: MembersInTurn
    sends: Sends
    history: History
    screen: Screen
    clock: Callable[[], float]
    member_id: str = ""
    event: UpEvent | None = None
    work: str = ""
    """What this is about if there is no event, in words for the log."""
    handler: str = ""
    """The command or hook that is running; whoever calls it sets it. A label of the metrics, so the names must be few."""
    chosen_in: str = ""
    """The plugin that showed the button or menu item which the event is about."""
    open: bool = True
    """False as soon as the event was committed or rolled back; tasks that outlive it must not count themselves in."""
    quota: Quota = field(default_factory=Quota)
    """What the channel may keep."""
    ignores: Ignores = field(default_factory=lambda: Ignores({}))
    """Who hears nothing of whom."""
    threads: Threads = field(kw_only=True)
    """Where its `def` handlers run."""
    jobs: list[Job] = field(default_factory=list)
    """The threads that were started for it."""
    since: float = 0.0
    """When `handler` began, by the event loop's time."""
    overdue: HandlerTimeout | None = None
    """Set when `handler` has had its time."""
    has_left_threads: bool = False
    """A handler of it was given up whose threads go on."""
    task: asyncio.Task[None] | None = None
    """In which its handlers run."""
    channels_made: int = 0
    """How many channels its handlers have made so far."""
    is_given_up: bool = False
    """Nobody waits for its handlers any more."""
    held_values: HeldValues = field(default_factory=HeldValues)
    """The models that its handlers were given of stores."""

    def begin(self, handler: str) -> None:
        """Note which handler runs from here on. On the event loop."""
        self.handler = handler
        self.since = asyncio.get_running_loop().time()
        self.overdue = None

    def running(self) -> str:
        """What runs, for the log."""
        return f"{self.handler or self.work or 'a handler'} in channel {self.channel_id}"

    @property
    def owner(self) -> str:
        """The plugin whose handler runs, empty if it is none of a plugin."""
        return self.handler.partition(": ")[0]

    def started(self, job: object) -> None:
        """A thread was started for it."""
        if isinstance(job, Job):
            self.jobs.append(job)

    def name_of(self, character_id: str) -> str:
        """The name of a member or agent, empty for a stranger."""
        character = self.members.get(character_id) or self.service.agent(character_id)
        return character.name if character else ""


def current_turn() -> Turn | None:
    """The turn in which this code runs, in the task of its channel or in the thread of a `def` handler; it may have ended by now."""
    hand = in_hand.get()
    return hand if isinstance(hand, Turn) else None
