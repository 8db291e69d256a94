"""Overlapping transactions of one storage: the next begins while the commits of those before it are on their way.

From the first of them on, the locks of the dicts stay taken until all is over, so that for everybody else it looks like one long
transaction: readers see what is durable, writers wait. Nothing new begins while somebody waits, so that they need not wait long.

Each commit names the one before it to the engine, which fails it with that one. What is open when something fails is doomed.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from storage.database_interface import DatabaseInterface, DomainChanges, Origin
from storage.dicts import locks
from storage.dicts.content import Content
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.domain_lock import DomainLock
from storage.errors import CommitFailed, PredecessorFailed, StorageError
from storage.locking import PatientLock
from storage.outcome import Outcome, WakeUps

MOST_IN_FLIGHT = 64
"""Commits; then the next transaction waits for the oldest. One sync takes them all, and a failure costs no more than these."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    outcome: Outcome
    overlays: Sequence[Overlay]
    was_handed_in: bool
    failure: StorageError | None
    """Why it failed by itself, before the engine knew of it."""
    joint: Sequence[Overlay] = ()
    """Of joint dicts, whose content nobody else changes as long as their locks are taken."""
    held: Sequence[DomainLock] = ()
    """The locks of joint dicts that this one has; they are let go of when it is over."""


class Pipeline:
    """Thread-safe. `enter` or `enter_async`, and then `leave`, frame each transaction."""

    def __init__(self, most: int = MOST_IN_FLIGHT) -> None:
        self.waiting: list[object] = []
        self.is_fresh = False
        """Whether nothing was in flight when the open transaction began; then it has to catch up with others."""
        self._most = most
        self._guard = PatientLock()
        self._checked: tuple[DictState, ...] = ()
        self._shared: DatabaseInterface | None = None
        """One of the engines that others may write to; what it says holds for its group."""
        self._members: tuple[DictState, ...] = ()
        self._locks: tuple[DomainLock, ...] = ()
        """Of the transactions in hand; taken if there are any."""
        self._is_held = False
        self._is_open = False
        self._in_flight: deque[_InFlight] = deque()
        self._last: object = None
        """What the engine calls the last commit that it was given."""
        self._failure: StorageError | None = None
        self._must_drain = False
        """The last one ended with a conflict, so that whoever runs it again runs those after it again, too: nothing may have been built on it."""
        self._spoiled: set[Content] = set()

    @property
    def is_draining(self) -> bool:
        with self._guard.ready():
            return self._is_held and not self._is_open

    def is_possible(self, members: tuple[DictState, ...], taken: tuple[DomainLock, ...]) -> bool:
        """Whether transactions over these dicts can overlap: all in memory, and kept by one engine group that takes commits so."""
        if members is not self._checked:
            if not all(state.engine.overlaps and state.content.loaded for state in members):
                return False
            if len({state.content.group for state in members if state.engine.persistent}) > 1:
                return False
            for lock in taken:
                lock.add_holder(self)
            self._checked = members
            self._shared = next((state.engine for state in members if state.engine.announces), None)
        return True

    # -- the beginning -------------------------------------------------------------------------------------------------

    def enter(self, members: tuple[DictState, ...], taken: tuple[DomainLock, ...]) -> None:
        """Wait for the turn. Raises StorageBusy where that would block an event loop for long, or never end."""
        if self._try(members, taken, None):
            return
        with locks.announced(taken, own=self):
            before = frozenset(self.waiting)
            while not self._try(members, taken, before):
                locks.refuse_own(taken)
                blocker = self._blocker()
                if blocker is not None:
                    blocker.wait_for_end()
                else:
                    locks.refuse_to_block()
                    time.sleep(locks.FIRST_PAUSE)

    async def enter_async(self, members: tuple[DictState, ...], taken: tuple[DomainLock, ...]) -> None:
        """The same, where the event loop goes on meanwhile."""
        if self._try(members, taken, None):
            return
        with locks.announced(taken, own=self):
            before = frozenset(self.waiting)
            pause = locks.FIRST_PAUSE
            while not self._try(members, taken, before):
                locks.refuse_own(taken)
                blocker = self._blocker()
                if blocker is not None:
                    await blocker.end()
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, locks.LONGEST_PAUSE)

    def _try(self, members: tuple[DictState, ...], taken: tuple[DomainLock, ...], before: Collection[object] | None) -> bool:
        """`before` are those who began to wait earlier; None for everybody who waits."""
        with self._guard.ready():
            if self._is_held:
                if self._is_open or self._must_drain or self._failure is not None or self.waiting or len(self._in_flight) >= self._most:
                    return False
                if members is not self._members or any(map(_has_foreign_commits, members)):
                    return False
                if self._shared is not None and self._shared.waits:
                    return False  # others want to commit, or there is doubt: the next begins anew once all is over
                self.is_fresh = False
            else:
                if self.waiting and (before is None or any(waiter in before for waiter in self.waiting)):
                    return False
                if not locks.try_all(taken):
                    return False
                self._members, self._locks = members, taken
                self._is_held = self.is_fresh = True
            self._is_open = True
            return True

    def _blocker(self) -> Outcome | None:
        """What has to be over first; None if that is an open transaction."""
        with self._guard.ready():
            if self._is_open or not self._in_flight:
                return None
            is_full = len(self._in_flight) >= self._most and self._failure is None and not self.waiting
            return self._in_flight[0 if is_full else -1].outcome

    # -- the end -------------------------------------------------------------------------------------------------------

    def leave(
        self,
        overlays: Sequence[Overlay],
        origin: Origin,
        outcome: Outcome,
        *,
        sync: bool,
        joint: Sequence[Overlay] = (),
        held: Sequence[DomainLock] = (),
        conflict: StorageError | None = None,
    ) -> None:
        """End the open transaction with these gathered changes, none after a rollback. `outcome` ends in the order of the transactions.

        `joint` are the changes to joint dicts, which are committed with the others, and `held` the locks of these, which are released here.
        With `conflict`, nothing of it is kept, and `outcome` ends so.

        Raises PredecessorFailed if it is doomed, and what the engine raises that does not even begin with the commit.
        """
        wake_ups = WakeUps()
        was_handed_in = False
        failure = conflict
        with self._guard.ready():
            self._is_open = False
            self._must_drain = conflict is not None
            try:
                if self._failure is not None:
                    raise PredecessorFailed.after(self._failure)
                was_handed_in = self._hand_in(overlays, joint, origin, outcome, sync=sync)
            except StorageError as error:
                failure = error
                raise
            except BaseException as error:
                failure = CommitFailed(f"the commit could not be begun ({error!r}); nothing was changed")
                raise
            finally:
                if not was_handed_in:
                    outcome.then = None
                is_begun = failure is None
                self._in_flight.append(
                    _InFlight(outcome, overlays if is_begun else (), was_handed_in, failure, joint if is_begun else (), held)
                )
                self._settle_first(wake_ups)
                wake_ups.send()

    def _hand_in(
        self, overlays: Sequence[Overlay], joint: Sequence[Overlay], origin: Origin, outcome: Outcome, *, sync: bool
    ) -> bool:
        # What was built on the commit before this one names that; joint dicts are not the channel's own, and have a base in any case.
        batch = [DomainChanges(each.content.engine, each.gathered, each.base if self._last is None else None) for each in _kept(overlays)]
        batch += [DomainChanges(each.content.engine, each.gathered, each.base) for each in _kept(joint)]
        if batch:
            outcome.then = self._settled
            self._last = batch[0].engine.hand_in(batch, origin, outcome, self._last, sync=sync)
        for overlay in overlays:
            overlay.hand_in()
        return bool(batch)

    def _settled(self, failure: StorageError | None, wake_ups: WakeUps) -> None:
        """The engine is done with the oldest that it was given, which is the first in flight."""
        with self._guard.ready():
            self._finish(self._in_flight.popleft(), failure)
            self._settle_first(wake_ups)

    def _settle_first(self, wake_ups: WakeUps) -> None:
        """Those in front with which the engine has nothing to do; if nothing is left then, the pipeline lets go."""
        while self._in_flight and not self._in_flight[0].was_handed_in:
            commit = self._in_flight.popleft()
            failure = commit.failure
            if failure is None and self._failure is not None:
                failure = PredecessorFailed.after(self._failure)
            self._finish(commit, failure)
            commit.outcome.settle(failure, wake_ups)
        if not self._in_flight and not self._is_open:
            self._let_go()

    def _finish(self, commit: _InFlight, failure: StorageError | None) -> None:
        for overlay in commit.overlays:
            if failure is None:
                overlay.apply_handed_in()
            else:
                # The view of what is open stays as it is until that has ended.
                self._failure = self._failure or failure
                self._spoiled.add(overlay.content)
        for overlay in commit.joint:
            if failure is None:
                overlay.apply()
            else:
                overlay.content.invalidate()
        locks.release_all(commit.held)

    def _let_go(self) -> None:
        for content in self._spoiled:
            with content.mutex.ready():
                content.ahead.clear()
                content.invalidate()
        self._spoiled.clear()
        self._failure = self._last = None
        self._must_drain = False
        self._is_held = False
        locks.release_all(self._locks)


def _kept(overlays: Sequence[Overlay]) -> list[Overlay]:
    return [overlay for overlay in overlays if overlay.gathered and overlay.content.engine.persistent]


def _has_foreign_commits(state: DictState) -> bool:
    """Whether others have committed past the locks, through engine objects of their own."""
    content = state.content
    return content.engine.version - content.seen > len(content.ahead.pending)
