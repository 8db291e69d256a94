"""The way of one event: once only, in a transaction, and nothing leaves before the commit."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from mooring.channels.answers import NOT_A_MEMBER, Answered, error_text, refusal
from mooring.channels.attempt import Attempt
from mooring.channels.history import Numbered
from mooring.channels.member_updates import MemberUpdates
from mooring.channels.members_in_turn import MembersInTurn
from mooring.channels.metrics import Metrics
from mooring.channels.outbox_entries import Queued
from mooring.channels.parcels import parcels_for_rooms
from mooring.channels.presence import Announcement
from mooring.channels.quota import Quota
from mooring.channels.sends import AfterCommit, SendLimits, Sends
from mooring.channels.state import ChannelState, CommitFailure
from mooring.channels.system_dicts import MEMBERS, OUTBOX, PRESENCE, SCHEDULES
from mooring.channels.turn import Turn
from mooring.channels.workers import ChannelWorkers
from mooring.clock import Clock, in_hand
from mooring.errors import CommandError, new_reference
from mooring.events import Acknowledgement, Down, UpEvent
from mooring.protocols import OutcomeNotKnown, Service, UnknownChannel
from storage.errors import CommitFailed, OutcomeUnknown, PredecessorFailed, VersionConflict

if TYPE_CHECKING:
    from storage import MoobiusStorage
    from storage.dicts.transaction import Transaction

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHANGES_SECONDS = 0.1
"""How often changes of the characters are shown while events keep coming. This bounds what is computed, whoever watches; how much of it a
crowd is sent is for the `Throttle` of each gateway, which alone knows how many watch."""

_NOT_FROM_HERE = "what one channel wants of another goes there as an event, with ctx.send_to"

_MOST_DOUBTFUL = 10_000

_DEEDS = frozenset({"message_up", "button_click", "menu_item_click"})
"""What makes somebody more than a passer-by."""

Body = Callable[[Turn], Awaitable[T]]


@dataclass(frozen=True)
class Wiring:
    """What a runner needs of the service around it."""

    service: Service
    route: Body[None]
    """Brings an event to its handlers."""
    deliver: Callable[[str, Sequence[Down]], None]
    wants_characters: Callable[[], bool]
    """Whether somebody may look at the characters."""
    wake_outbox: Callable[[str, bool], None]
    """Told when there is something new in the outbox of a channel, and whether this process committed it."""
    metrics: Metrics
    clock: Clock
    workers: ChannelWorkers
    limits: SendLimits
    quota: Quota
    plugin_names: Callable[[], Iterable[str]]
    """The plugins that may show something, in the order in which they show it."""


class TurnRunner:
    """Takes the events of one channel through their turns. The caller sees to it that they come one after the other."""

    def __init__(self, channel_id: str, storage: MoobiusStorage, state: ChannelState, member_updates: MemberUpdates, wiring: Wiring) -> None:
        self.channel_id = channel_id
        self.turn: Turn | None = None
        """The turn in hand."""
        self.is_sound: Callable[[], bool] = lambda: True
        """Whether the turns whose results are not out yet are all kept; the queue sets it."""
        self.until_settled: Callable[[], Awaitable[None]] = _at_once
        """Waits until they are out; the queue sets it."""
        self._doubtful: dict[tuple[str, str], None] = {}
        """Events that may have happened. Sent again, they are not said to have changed nothing, as long as storage cannot be asked."""
        self._storage = storage
        self._state = state
        self._member_updates = member_updates
        self._wiring = wiring
        self._shown_at = 0.0
        self._sharing: Transaction | None = None
        """The last that used dicts of other channels as well. If these overtook it, the next turn has such dicts for itself."""

    async def event(self, event: UpEvent) -> Attempt:
        """Handle an event once; the result is its Acknowledgement, or the error UnknownChannel if the channel was closed.

        Raises nothing but the cancellation of the channel.

        What a handler refuses, or fails at, is kept and told in a turn of its own, after the one that is undone.
        """
        answer = Acknowledgement(event.request_id)
        attempt = await self._run(self._wiring.route, event.member_id, event, answer)
        error = attempt.error
        if attempt.failure is None and isinstance(error, UnknownChannel) and self._state.settings.is_closed:
            return attempt  # there is no channel any more that could keep a refusal
        if attempt.failure is None and isinstance(error, Answered):
            attempt, answer = Attempt(), error.answer
        elif attempt.failure is None and error is not None:
            is_refused = isinstance(error, CommandError)
            answer = Acknowledgement(event.request_id, ok=False, message=str(error) if is_refused else self._report(event, error))
            attempt = await self._run(refusal(event, answer), event.member_id, event, answer, on_same_state=True)
        failed = error is not None and not isinstance(error, Answered | CommandError)
        attempt.result, accept = answer, attempt.accept

        def answered() -> None:
            self._doubtful.pop((event.member_id, event.request_id), None)
            if accept is not None:
                accept()
            self._wiring.metrics.ended(event.type, answer, failed=failed)

        attempt.accept = answered
        return attempt

    async def work(self, body: Body[Any], *, member_id: str = "") -> Attempt:
        """Run `body` in a turn of its own; the result is what it returns, or the error that it raises."""
        return await self._run(body, member_id)

    def unavailable(self, event: UpEvent, error: CommitFailed) -> Acknowledgement:
        """The answer to an event whose commit failed for good, which the member is told as well. Raises OutcomeNotKnown.

        Not kept as handled, so that the same event sent again is a new try; for the same reason the line has no number.
        """
        self._state.last_failure = CommitFailure(str(error), time.monotonic())
        known = self._state.handled.find(event.member_id, event.request_id)
        if known is not None:
            return known
        doubtful, key = self._doubtful, (event.member_id, event.request_id)
        if isinstance(error, OutcomeUnknown) or key in doubtful:
            doubtful[key] = None
            if len(doubtful) > _MOST_DOUBTFUL:
                del doubtful[next(iter(doubtful))]
            log.error("whether %s of channel %s was committed is not known: %s", event.type, self.channel_id, error)
            raise OutcomeNotKnown from error
        log.error("%s of channel %s was not committed: %s", event.type, self.channel_id, error)
        line = Sends(self.channel_id, self._wiring.clock, cause=event.cause)
        text = error_text(error)
        line.message(text, [event.member_id], context={"error": True})
        self._wiring.deliver(self.channel_id, line.downs)
        answer = Acknowledgement(event.request_id, ok=False, message=text, is_final=False)
        self._wiring.metrics.ended(event.type, answer, failed=True)
        return answer

    def limit(self, sends: SendLimits, quota: Quota) -> None:
        """From now on an event may send and keep so much."""
        self._wiring = replace(self._wiring, limits=sends, quota=quota)

    def reset(self) -> None:
        """Go back to what is kept: a commit failed, and with it all turns that were built on it."""
        self._state.reset()

    def note_retry(self, error: CommitFailed, attempt: int) -> None:
        """A turn is run again because another process or channel, or a turn before it whose commit failed, changed what it was built on."""
        self._wiring.metrics.conflict()
        log.debug("a turn of channel %s is run again, for the %d. time: %s", self.channel_id, attempt + 1, error)

    async def follow(self) -> Attempt:
        """Take over what other processes committed, when there is no event to do it with."""

        async def nothing(turn: Turn) -> None:
            """The turn does it at its beginning."""

        return await self._run(nothing, "")

    @property
    def is_presence_due(self) -> bool:
        """Whether the other processes do not know yet who is connected here."""
        presence = self._state.presence
        return presence is not None and presence.is_due(self._wiring.clock())

    async def say_presence(self) -> Attempt:
        """Tell the other processes who is connected here."""
        presence, clock = self._state.presence, self._wiring.clock
        if presence is None:
            return Attempt()

        async def announce(turn: Turn) -> Announcement:
            return presence.announce(clock())

        attempt = await self._run(announce, "")
        accept = attempt.accept

        def announced() -> None:
            if accept is not None:
                accept()
                presence.announced(attempt.result)

        attempt.accept = announced
        return attempt

    def waited(self, seconds: float) -> None:
        """Note how long the next turn was in the queue."""
        self._wiring.metrics.waited(seconds)

    def show_changes(self, *, at_once: bool) -> None:
        """Show what changed of the characters; in a rush of events not after each, but all of it from time to time."""
        if self._member_updates.are_due and self._wiring.wants_characters():
            now = asyncio.get_running_loop().time()
            if at_once or now - self._shown_at >= _CHANGES_SECONDS:
                self._shown_at = now
                self._wiring.deliver(self.channel_id, self._member_updates.changes())

    async def _take_news(self) -> bool:
        """Take over, inside a transaction, what other processes committed before it; true if there was something.

        Raises UnknownChannel if one of them has closed the channel.
        """
        news = self._storage.news() if self._state.is_shared else {}
        if news:
            await self.until_settled()  # what was committed here came before
            downs = self._state.catch_up(self.channel_id, news)
            if (presence := self._state.presence) is not None:
                presence.catch_up(news.get(PRESENCE.changed_as, ()), self._wiring.clock())
            for name, keys in news.items():
                self._member_updates.note(name, keys)
            for member_id in news.get(MEMBERS.changed_as) or ():
                if member_id not in self._state.members:
                    self._forget(member_id)
            self._wiring.deliver(self.channel_id, self._state.ignores.apply(self._member_updates.shown(downs)))
            if OUTBOX.changed_as in news:
                self._wiring.wake_outbox(self.channel_id, False)
            if SCHEDULES.changed_as in news:
                self._wiring.service.wake_timers(self.channel_id, news[SCHEDULES.changed_as])
        if self._state.settings.is_closed:
            raise UnknownChannel(self.channel_id)
        return bool(news)

    def _forget(self, member_id: str) -> None:
        """Somebody has left, and with them what only they were shown."""
        self._state.screen.forget(member_id)
        self._state.ignores.catch_up([member_id])
        self._member_updates.forget(member_id)

    def _check(self, event: UpEvent, turn: Turn) -> None:
        """Raises Answered for an event that needs no handler, and CommandError for one of nobody known here.

        The latter is like a refusal by a handler: its commit finds out whether the member joined through another process, of which
        this one has not heard yet. Where no other process serves the channel, nothing is kept of it.
        """
        handled = self._state.handled
        if not handled.is_new(event.member_id, event.request_id) and (known := handled.find(event.member_id, event.request_id)) is not None:
            raise Answered(known)
        if event.type != "join" and event.member_id not in turn.members:
            if self._state.is_shared:
                raise CommandError(NOT_A_MEMBER)
            raise Answered(Acknowledgement(event.request_id, ok=False, message=NOT_A_MEMBER))

    async def _run(
        self, body: Body[Any], member_id: str, event: UpEvent | None = None, answer: Acknowledgement | None = None, *, on_same_state: bool = False
    ) -> Attempt:
        state, wiring = self._state, self._wiring
        if not state.is_shared:
            state.members.refresh()
        turn = self.turn = self._new_turn(member_id, event)
        token = in_hand.set(turn)
        kept = None
        began = handled = time.perf_counter()
        is_kept = False
        transaction = self._new_transaction(member_id, event)
        try:
            async with transaction:
                if transaction.is_fresh and not self.is_sound():
                    # Storage let go of what failed sooner than the queue has heard of it, and what is in memory still goes on from that.
                    raise PredecessorFailed("a turn before this one failed")
                if await self._take_news() and on_same_state:
                    raise VersionConflict("what was refused may be possible by now")
                if event is not None and not on_same_state:
                    self._check(event, turn)
                try:
                    result = await wiring.workers.run(turn, body)
                finally:
                    handled = time.perf_counter()
                overlays = list(transaction.overlays.values())
                numbered, queued = self._keep(turn, transaction)
                if answer is not None:
                    kept = state.handled.keep(member_id, answer, wiring.clock())
            is_kept = True
        except CommitFailed as failure:
            return Attempt(failure=failure)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            # Not the channel was cancelled, but something that the handler waited for.
            return Attempt(error=error, failure=transaction.doom)
        except Exception as error:  # noqa: BLE001 - handlers may raise anything, and it must end here
            return Attempt(error=error, failure=transaction.doom)
        finally:
            in_hand.reset(token)
            self._end(turn, transaction)
            wiring.metrics.ran(turn, handled - began, is_kept=is_kept)
        state.hand(numbered, turn.members, queued, kept)
        changed = [(overlay.content.name, overlay.gathered) for overlay in overlays if overlay.gathered]

        def accept() -> None:
            wiring.metrics.committed(time.perf_counter() - handled)
            state.accept(numbered, turn.members, queued, kept, wiring.clock())
            for name, changes in changed:
                self._member_updates.note(name, [key for key, _ in changes])
            for gone in turn.members.gone():
                self._forget(gone)
            wiring.deliver(self.channel_id, state.ignores.apply(self._member_updates.shown(state.screen.drawn(numbered.downs))))
            if queued.added:
                wiring.wake_outbox(self.channel_id, True)
            for call in turn.sends.after:
                self._call(call)

        return Attempt(result, outcome=transaction.outcome, accept=accept)

    def _end(self, turn: Turn, transaction: Transaction) -> None:
        turn.open = False
        if transaction.joint:
            self._sharing = transaction

    def _keep(self, turn: Turn, transaction: Transaction) -> tuple[Numbered, Queued]:
        """Write what a turn holds and sends into its transaction: the sends to the history, to those who come later, and to the outbox."""
        state = self._state
        if command := turn.handler or turn.work:
            transaction.note_command(command)
        turn.held_values.save()
        if turn.event is not None:
            state.read_marks.keep(turn.event)
        if turn.event is not None and turn.event.type in _DEEDS:
            turn.members.acted(turn.event.member_id)
        numbered = state.history.number(turn.sends.downs)
        state.screen.keep(numbered.downs)
        for gone in turn.members.gone():
            state.screen.drop(gone)
            state.ignores.put(gone, ())
        parcels = parcels_for_rooms(numbered.downs, state.bindings.rooms, turn.event, turn.name_of)
        return numbered, state.outbox.add([*parcels, *turn.sends.parcels], turn.clock(), turn.sends.clean)

    def _new_transaction(self, member_id: str, event: UpEvent | None) -> Transaction:
        again = self._sharing if self._sharing is not None and _was_overtaken(self._sharing) else None
        self._sharing = None
        request_id = event.request_id if event else ""
        return self._storage.transaction(member_id, request_id, overlap=True, exclusive=_NOT_FROM_HERE, again=again)

    def _new_turn(self, member_id: str, event: UpEvent | None) -> Turn:
        wiring = self._wiring
        sends = Sends(self.channel_id, wiring.clock, self._state.sent_files, event.cause if event else None, wiring.limits)
        state = self._state
        return Turn(
            wiring.service,
            self.channel_id,
            self._storage,
            MembersInTurn(state.members),
            sends,
            state.history,
            state.screen,
            wiring.clock,
            member_id,
            event,
            threads=wiring.workers.threads,
            quota=wiring.quota,
            ignores=state.ignores,
        )

    def _call(self, call: AfterCommit) -> None:
        """What is asked for after the commit can no longer undo anything, and must not hold up the channel."""
        try:
            pending = call()
        except BaseException:
            log.exception("a call after a commit of channel %s failed", self.channel_id)
            return
        if inspect.isawaitable(pending):
            self._wiring.service.spawn(_finish(pending), name=f"after a commit of {self.channel_id}")

    def _report(self, event: UpEvent, error: BaseException) -> str:
        """Log a fault under a reference, and return the line with which the member can ask about it."""
        reference = new_reference()
        culprit = (self.turn and (self.turn.handler or self.turn.work)) or "the service"
        log.error("%s of channel %s failed in %s (reference %s)", event.type, self.channel_id, culprit, reference, exc_info=error)
        return f"Something went wrong here (reference {reference}); nothing was changed."


def _was_overtaken(transaction: Transaction) -> bool:
    """Whether others changed what it was built on, as it found itself or as the server did."""
    outcome = transaction.outcome
    error = outcome.exception() if outcome is not None and outcome.done() else None
    return isinstance(transaction.doom or error, VersionConflict | PredecessorFailed)


async def _at_once() -> None:
    pass


async def _finish(pending: Awaitable[None]) -> None:
    await pending
