"""Transactions: everything that happens inside is kept together, or nothing of it.

The committed content stays as it is until the engines have accepted the commit. So code outside reads on without
waiting, and a rollback only drops what was laid over it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from storage.database_interface import Origin
from storage.dicts import commit, joint, locks
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.dicts.pipeline import Pipeline
from storage.dicts.scope import CLOSED, Member, Scope, enclosing, exclusive_around, innermost, leave
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.domain_lock import DomainLock
from storage.encoding.texts import encode_item, item_path, same_text
from storage.errors import CommitFailed, ForeignDict, OutcomeUnknown, PredecessorFailed, StorageError, StoreClosed, VersionConflict
from storage.outcome import Outcome, WakeUps


class Transaction(Scope):
    """One transaction over some dicts, as `with` or `async with`; storages and dicts make it.

    Inside another transaction of the same owner it joins that one: what happens in it is committed or dropped with the
    outer one. Leaving it raises CommitFailed if an engine refused, and ValueRefused if a value was changed in place into
    one that cannot be kept; then nothing was changed.

    An overlapping one only hands its commit to the engine, and `outcome` tells later whether that was made, in the order of the
    transactions; the next overlapping one of the same owner begins at once, and builds on what is on its way.
    """

    __slots__ = ("_again", "_held", "_joined", "_origin", "_overlaps", "_pipeline", "_sync", "_two_phase", "doom", "outcome")

    def __init__(
        self,
        owner: object,
        members: tuple[DictState, ...],
        taken: tuple[DomainLock, ...],
        origin: Origin,
        *,
        sync: bool,
        two_phase: TwoPhaseCommit | None = None,
        pipeline: Pipeline | None = None,
        overlaps: bool = False,
        exclusive: str = "",
        again: Transaction | None = None,
    ) -> None:
        # Written out instead of calling Scope's: this runs for every event of every channel.
        self.owner = owner
        self.members: tuple[DictState, ...] = members
        self.locks = taken
        self.exclusive = exclusive
        self.is_open = False
        self.parent = None
        self.overlays = {}
        self.foreign = {}
        self.joint = ()
        self._again = again
        self._held: tuple[DomainLock, ...] = ()
        """The locks of joint dicts that it has."""
        self._origin = origin
        self._two_phase = two_phase
        self._pipeline = pipeline
        self._sync = sync
        self._joined = False
        self._overlaps = overlaps
        self.outcome: Outcome | None = None
        """How the commit ends, of a transaction that was asked to overlap; None for the others, which end with their block.

        It is over when the commit is as safe as asked, or has failed, and all before it are over. A transaction that changed nothing, or
        was rolled back, ends with those that it was built on: if one of them failed, what it saw was not true.
        """
        self.doom: CommitFailed | None = None
        """Why nothing of it can be kept, once its block was left."""

    def note_command(self, command: str) -> None:
        """What changes the dicts in here, for an engine that keeps that with the commit."""
        self._origin = Origin(self._origin.member, self._origin.event, command)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was on its way when it began: it builds on what is kept, whatever became of those before it. While it is open."""
        return self._pipeline is None or self._pipeline.is_fresh

    def __enter__(self) -> Transaction:
        if not self._joins():
            pipeline = self._pipeline
            if pipeline is not None:
                pipeline.enter(self.members, self.locks)
                try:
                    if pipeline.is_fresh:
                        _begin(self.members)
                    if self._again is not None:
                        self._hold(self._again)
                    self._open()
                except BaseException:
                    self._give_up(pipeline)
                    raise
                return self
            locks.take_all(self.locks)
            try:
                _begin(self.members)
                if self._again is not None:
                    self._hold(self._again)
                self._open()
            except BaseException:
                locks.release_all((*self._held, *self.locks))
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._joined:
            return
        self.is_open = False  # what still runs in worker threads counts as outside from here on
        conflict = None
        if self.joint:
            try:
                self._take(self._missing(error))
                conflict = self._conflict(error)
            except BaseException as failure:
                self._drop(failure)
                raise
        if self._pipeline is not None:
            self._hand_in(self._pipeline, error, conflict)
            return
        try:
            if conflict is not None:
                raise conflict
            if kind is None and (self.overlays or self.foreign):
                overlays = [*self._gather(), *self._gather_joint()]
                changed = [overlay for overlay in overlays if overlay.gathered]
                if changed:
                    commit.commit(changed, self._origin, self._two_phase, sync=self._sync)
                for overlay in overlays:
                    overlay.apply()
        except BaseException as failure:
            self._end(failure)
            raise
        self._end(None)

    async def __aenter__(self) -> Transaction:
        if not self._joins():
            pipeline = self._pipeline
            if pipeline is not None:
                await pipeline.enter_async(self.members, self.locks)
                try:
                    if pipeline.is_fresh:
                        await _begin_async(self.members)
                    if self._again is not None:
                        await self._hold_async(self._again)
                    self._open()
                except BaseException:
                    self._give_up(pipeline)
                    raise
                return self
            if not locks.try_all(self.locks):
                await locks.take_all_async(self.locks)
            try:
                await _begin_async(self.members)
                if self._again is not None:
                    await self._hold_async(self._again)
                self._open()
            except BaseException:
                locks.release_all((*self._held, *self.locks))
                raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._joined:
            return
        self.is_open = False
        conflict = None
        if self.joint:
            try:
                await self._take_async(self._missing(error))
                asks = any(state.content.is_behind or not state.content.loaded for state in self.joint)
                conflict = await asyncio.to_thread(self._conflict, error) if asks else self._conflict(error)
            except BaseException as failure:
                self._drop(failure)
                raise
        if self._pipeline is not None:
            self._hand_in(self._pipeline, error, conflict)
            return
        try:
            if conflict is not None:
                raise conflict
            if kind is None and (self.overlays or self.foreign):
                overlays = [*self._gather(), *self._gather_joint()]
                changed = [overlay for overlay in overlays if overlay.gathered]
                if changed:
                    await commit.commit_async(changed, self._origin, self._two_phase, sync=self._sync)
                for overlay in overlays:
                    overlay.apply()
        except BaseException as failure:
            self._end(failure)
            raise
        self._end(None)

    def _hand_in(self, pipeline: Pipeline, error: BaseException | None, conflict: VersionConflict | None = None) -> None:
        """A doomed transaction says so whatever else it wanted to say, for that may come from what it should not have seen."""
        overlays: list[Overlay] = []
        changed: list[Overlay] = []
        try:
            if conflict is not None:
                raise conflict
            if error is None and (self.overlays or self.foreign):
                overlays, changed = self._gather(), self._gather_joint()
        except BaseException as failure:
            error = failure
            raise
        finally:
            self._leave()
            try:
                pipeline.leave(overlays, self._origin, self.outcome or Outcome(), sync=self._sync, joint=changed, held=self._held, conflict=conflict)
            except PredecessorFailed as doom:
                self.doom = doom
                if error is None or isinstance(error, Exception):
                    raise

    def _give_up(self, pipeline: Pipeline) -> None:
        with suppress(PredecessorFailed):
            pipeline.leave((), self._origin, Outcome(), sync=False, held=self._held)

    def _drop(self, failure: BaseException) -> None:
        """End it without a commit, because its end was broken off."""
        if self._pipeline is not None:
            with suppress(PredecessorFailed, VersionConflict):
                self._hand_in(self._pipeline, failure, failure if isinstance(failure, VersionConflict) else None)
        else:
            self._end(failure)

    # -- joint dicts -------------------------------------------------------------------------------------------------

    def _take(self, wanted: tuple[DomainLock, ...]) -> None:
        locks.take_all(wanted)
        self._held += wanted

    async def _take_async(self, wanted: tuple[DomainLock, ...]) -> None:
        await locks.take_all_async(wanted)
        self._held += wanted

    def _hold(self, before: Transaction) -> None:
        """Have the joint dicts for itself that an earlier attempt has used."""
        self._again = None
        self._take(locks.in_order(state.engine.lock for state in before.joint))
        _begin(before.joint)
        _begin_clock(self.members)

    async def _hold_async(self, before: Transaction) -> None:
        self._again = None
        await self._take_async(locks.in_order(state.engine.lock for state in before.joint))
        await _begin_async(before.joint)
        _begin_clock(self.members)

    def _missing(self, error: BaseException | None) -> tuple[DomainLock, ...]:
        """The locks that the commit needs besides those that are held. Raises VersionConflict where waiting for them could be for ever."""
        if error is not None or not any(overlay.may_change for overlay in joint.overlays_of(self.overlays.values())):
            return ()  # of what was only looked at, this moment is as good as any
        wanted = {state.engine.lock for state in self.joint}
        if self._two_phase is not None and self._two_phase.is_unsettled:
            wanted.update(self._two_phase.joint)
        missing = locks.in_order(wanted.difference(self._held))
        if self._held and missing:
            if not locks.try_all(missing):
                self.doom = VersionConflict("a dict that is used in other transactions as well could not be had; nothing was changed")
                raise self.doom
            self._held += missing
            return ()
        return missing

    def _conflict(self, error: BaseException | None) -> VersionConflict | None:
        """Why the transaction cannot end as it would, whatever it raised: that may come from what it should not have seen."""
        found = joint.conflict(joint.overlays_of(self.overlays.values()))
        if found is not None and (error is None or isinstance(error, Exception)):
            self.doom = found
            return found
        return None

    def _gather_joint(self) -> list[Overlay]:
        return [overlay for overlay in joint.overlays_of(self.overlays.values()) if overlay.gather()] if self.joint else []

    # ----------------------------------------------------------------------------------------------------------------

    def _joins(self) -> bool:
        """Whether this is inside another transaction of the same owner, or over the same data."""
        if self.is_open:
            raise StorageError("this transaction object is open already; ask for a new one to nest")
        self.parent = innermost.get()
        self._joined = False
        self.outcome = Outcome() if self._overlaps else None
        if self.parent is not None:
            outer = enclosing(self.owner, self.locks)
            self._joined = outer is not None
            if isinstance(outer, Transaction) and self.outcome is not None:
                outer.outcome = self.outcome = outer.outcome or self.outcome
            around = None if self._joined else exclusive_around()
            if around is not None:
                raise ForeignDict(f"a transaction over dicts of another storage cannot be opened inside that of this one; {around.exclusive}")
        return self._joined

    def _open(self) -> None:
        for state in self.members:
            if state.scope is CLOSED:
                raise StoreClosed(f"{state.name} was closed")
        for state in self.members:
            state.scope = self
        self.is_open = True
        innermost.set(self)

    def _gather(self) -> list[Overlay]:
        """The overlays with changes, in the order of the members, because that is the order of the commits."""
        if self.foreign:
            self._refuse_foreign_changes()
        if len(self.overlays) == 1 and not self.joint:
            return [overlay for overlay in self.overlays.values() if overlay.gather()]
        overlays = [self.overlays[state.content] for state in self.members if state.content in self.overlays]
        return [overlay for overlay in overlays if overlay.gather()]

    def _end(self, error: BaseException | None) -> None:
        self._leave()
        locks.release_all((*self._held, *self.locks))
        if self.outcome is not None:
            wake_ups = WakeUps()
            if error is not None and not isinstance(error, StorageError):
                error = OutcomeUnknown(f"the commit was given up ({error!r})")
            self.outcome.settle(error, wake_ups)
            wake_ups.send()

    def _refuse_foreign_changes(self) -> None:
        for (content, key), (value, text) in self.foreign.items():
            if not same_text(encode_item(content.name, key, value), text):
                place = item_path(content.name, key)
                raise ForeignDict(f"{place} was changed, which is in a dict of another storage than that of the transaction; {self.exclusive}")

    def _leave(self) -> None:
        for state in self.members:
            if state.scope is self:  # and was not closed meanwhile, because the program ends
                state.scope = None
        self.overlays, self.foreign = {}, {}
        leave(self)


def _begin_clock(members: Sequence[Member]) -> None:
    """The time that went into waiting for joint dicts is none of what the handler takes, by which engines give turns to processes."""
    now = time.monotonic()
    for state in members:
        if state.engine.announces:
            state.engine.moment(now)


async def _begin_async(members: Sequence[Member]) -> None:
    for state in members:
        if state.content.is_behind:
            await asyncio.to_thread(_begin, members)
            return
    _begin(members)


def _begin(members: Sequence[Member]) -> None:
    # All of them begin before any content is looked at: content may then be newer than its base, which only costs a conflict,
    # and never older.
    for state in members:
        if state.engine.announces:
            state.content.base = state.engine.begin()
    for state in members:
        content = state.content
        if content.seen != content.engine.version:
            content.load(keep_mode=True)
