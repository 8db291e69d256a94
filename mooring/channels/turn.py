"""The turn: one event in hand, and how code that runs in it finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mooring.channels.history import History
from mooring.channels.members import MembersInTurn
from mooring.channels.sends import Sends
from mooring.clock import in_hand
from mooring.events import UpEvent
from mooring.protocols import Service
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
    clock: Callable[[], float]
    member_id: str = ""
    event: UpEvent | None = None
    work: str = ""
    """What this is about if there is no event, in words for the log."""
    handler: str = ""
    """The command or hook that is running; whoever calls it sets it. A label of the metrics, so the names must be few."""
    show_members: bool = False
    """Set when the characters have to be shown anew after this event."""
    open: bool = True
    """False as soon as the event was committed or rolled back; tasks that outlive it must not count themselves in."""


def current_turn() -> Turn | None:
    """The turn in which this code runs, in the task of its channel or in the thread of a `def` handler; it may have ended by now."""
    hand = in_hand.get()
    return hand if isinstance(hand, Turn) else None
