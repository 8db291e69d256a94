"""Transactions: everything that happens inside is kept together, or nothing of it.

The committed content stays as it is until the engines have accepted the commit. So code outside reads on without
waiting, and a rollback only drops what was laid over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Lock
from types import TracebackType

from storage.database_interface import Origin
from storage.dicts import commit, locks
from storage.dicts.dict_state import DictState
from storage.dicts.overlay import Overlay
from storage.dicts.scope import CLOSED, Scope, enclosing, enclosing_of, innermost
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.errors import StorageError, StoreClosed


class Transaction(Scope):
    """One transaction over some dicts, as `with` or `async with`; storages and dicts make it.

    Inside another transaction of the same owner it joins that one: what happens in it is committed or dropped with the
    outer one. Leaving it raises CommitFailed if an engine refused, and ValueRefused if a value was changed in place into
    one that cannot be kept; then nothing was changed.
    """

    __slots__ = ("_joined", "_members", "_origin", "_sync", "_two_phase", "doom", "outcome")

    def __init__(
        self,
        owner: object,
        members: Sequence[DictState],
        taken: tuple[Lock, ...],
        origin: Origin,
        two_phase: TwoPhaseCommit | None = None,
        *,
        sync: bool,
    ) -> None:
        # Written out instead of calling Scope's: this runs for every event of every channel.
        self.owner = owner
        self.locks = taken
        self.is_open = False
        self.parent = None
        self.overlays = {}
        self._members = members
        self._origin = origin
        self._two_phase = two_phase
        self._sync = sync
        self._joined = False
        self.outcome = None
        self.doom = None

    def __enter__(self) -> Transaction:
        if not self._joins():
            locks.take_all(self.locks)
            try:
                _begin(self._members)
                self._open()
            except BaseException:
                locks.release_all(self.locks)
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._joined:
            return
        self.is_open = False  # what still runs in worker threads counts as outside from here on
        try:
            if kind is None and self.overlays:
                overlays = self._gather()
                changed = [overlay for overlay in overlays if overlay.gathered]
                if changed:
                    commit.commit(changed, self._origin, self._two_phase, sync=self._sync)
                for overlay in overlays:
                    overlay.apply()
        finally:
            self._end()

    async def __aenter__(self) -> Transaction:
        if not self._joins():
            if not locks.try_all(self.locks):
                await locks.take_all_async(self.locks)
            try:
                for state in self._members:
                    if state.content.is_behind:
                        await asyncio.to_thread(_begin, self._members)
                        break
                else:
                    _begin(self._members)
                self._open()
            except BaseException:
                locks.release_all(self.locks)
                raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._joined:
            return
        self.is_open = False
        try:
            if kind is None and self.overlays:
                overlays = self._gather()
                changed = [overlay for overlay in overlays if overlay.gathered]
                if changed:
                    await commit.commit_async(changed, self._origin, self._two_phase, sync=self._sync)
                for overlay in overlays:
                    overlay.apply()
        finally:
            self._end()

    def _joins(self) -> bool:
        """Whether this is inside another transaction of the same owner. Otherwise `parent` is the one around it."""
        if self.is_open:
            raise StorageError("this transaction object is open already; ask for a new one to nest")
        self.parent = None
        self._joined = False
        if innermost.get() is not None:
            self.parent = enclosing()
            self._joined = enclosing_of(self.owner) is not None
        return self._joined

    def _open(self) -> None:
        for state in self._members:
            if state.scope is CLOSED:
                raise StoreClosed(f"{state.name} was closed")
        for state in self._members:
            state.scope = self
        self.is_open = True
        innermost.set(self)

    def _gather(self) -> list[Overlay]:
        """The overlays with changes, in the order of the members, because that is the order of the commits."""
        if len(self.overlays) == 1:
            return [overlay for overlay in self.overlays.values() if overlay.gather()]
        overlays = [self.overlays[state.content] for state in self._members if state.content in self.overlays]
        return [overlay for overlay in overlays if overlay.gather()]

    def _end(self) -> None:
        for state in self._members:
            if state.scope is self:  # and was not closed meanwhile, because the program ends
                state.scope = None
        self.overlays = {}
        if innermost.get() is self:
            innermost.set(self.parent)
        locks.release_all(self.locks)


class Edit:
    """The overlay that one operation of a dict works on, as a context manager.

    It is that of the transaction around; outside of one, that of a transaction for this operation alone.
    """

    __slots__ = ("_own", "_state")

    def __init__(self, state: DictState) -> None:
        self._state = state
        self._own: Transaction | None = None

    def __enter__(self) -> Overlay:
        state = self._state
        overlay = state.overlay()
        if overlay is None:
            own = Transaction(state, (state,), (state.engine.lock,), Origin(), sync=False)
            own.__enter__()
            self._own = own
            overlay = own.overlays[state.content] = Overlay(state.content)
        return overlay

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._own is not None:
            self._own.__exit__(kind, error, trace)


def _begin(members: Sequence[DictState]) -> None:
    # All of them begin before any content is looked at: content may then be newer than its base, which only costs a conflict,
    # and never older.
    for state in members:
        if state.engine.announces:
            state.content.base = state.engine.begin()
    for state in members:
        content = state.content
        if content.seen != content.engine.version:
            content.load(keep_mode=True)
