"""The turn: one event in hand, and how code that runs in it finds it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mooring.channels.outbox import Outbox
from mooring.events import UpEvent

if TYPE_CHECKING:
    from mooring.channels.members import MembersInTurn
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
    outbox: Outbox
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


current_turn: ContextVar[Turn | None] = ContextVar("current_turn", default=None)
"""Set while a channel handles an event, in its task and in the threads of its `def` handlers."""
