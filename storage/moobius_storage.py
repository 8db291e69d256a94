"""MoobiusStorage: all dicts of one channel."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from storage.cleared_backups import DEFAULT_ROOT
from storage.cleared_backups import clear as clear_engine
from storage.database_interface import DatabaseInterface, Finding, Origin
from storage.db_config import DbConfig, DictConfig, name_problem, read_config
from storage.dicts import locks, saving
from storage.dicts.cached_dict import CachedDict
from storage.dicts.dict_state import DictState
from storage.dicts.locks import in_order
from storage.dicts.pipeline import Pipeline
from storage.dicts.savepoint import Savepoint
from storage.dicts.scope import CLOSED, innermost, is_inside
from storage.dicts.transaction import Transaction
from storage.dicts.two_phase_commit import TwoPhaseCommit
from storage.domain_lock import DomainLock
from storage.domains import domain_of, is_store_name, variants
from storage.engines import engine_class
from storage.errors import ConfigError, Fault, StorageError, StoreClosed
from storage.locking import is_interrupting
from storage.nearest_word import suggestion
from storage.store_entries import entry_for, keeps

_log = logging.getLogger(__name__)


class MoobiusStorage:
    """One attribute per entry of the config, each a CachedDict.

        with MoobiusStorage("1", "tavern", "db_config.json") as storage:
            with storage.transaction():
                storage.health_bars["ann"] = 80

    `variant` (small letters, digits and hyphens) keeps its data apart from that of a storage with the same ids and another variant, and
    from that of every other id; without one it is the variant that the program has set for these ids, or none.

    Close it, or use it in a `with` block; what is still open when the interpreter ends is closed then. Raises ConfigError
    with all faults of the config, and whatever the engines raise that cannot be opened; nothing stays open then.
    """

    def __init__(self, service_id: str, channel_id: str, db_config: DbConfig = (), *, variant: str | None = None) -> None:
        self.service_id = service_id
        self.channel_id = channel_id
        self.variant = variants.get().get((service_id, channel_id), "") if variant is None else variant
        self._dicts: dict[str, CachedDict] = {}
        self._removed: dict[str, CachedDict] = {}
        """Dicts that were taken out of sight; they stay in transactions, as one may be open."""
        self._entries: dict[str, DictConfig] = {}
        self._systems: dict[str, CachedDict] = {}
        self._beside: DictConfig | None = None
        """The first entry that keeps its data."""
        self._findings: list[Finding] = []
        self._adopted: dict[DomainLock, DictState] = {}
        """All dicts, by the locks of their data."""
        self._states: tuple[DictState, ...] = ()
        self._locks = in_order(())
        self._is_opening = True
        self._is_registered = False
        """Whether it is closed at exit before engines that hang on finalizers are."""
        self._two_phase = TwoPhaseCommit()
        self._pipeline = Pipeline()
        self._joint_overlaps = True
        """Whether commits that change joint dicts as well can overlap."""
        self._joint: dict[str, CachedDict] = {}
        self._ends: list[Callable[[], None]] = []
        """What ends the following."""
        self._is_closed = False
        self._pid = os.getpid()
        try:
            for entry in read_config(db_config, TAKEN_NAMES):
                self._add(entry)
            self._is_opening = False
            self._count_in()
            if not any(map(is_inside, self._locks)):  # there another object over the same data has done it
                with locks.held(self._locks):
                    self._findings += self._two_phase.settle(are_all_here=False)
        except BaseException:
            self._abandon()
            raise

    # -- dicts -------------------------------------------------------------------------------------------------------

    def add_container(self, implementation: str, settings: Mapping[str, Any], name: str, load: bool = True, clear: bool = False) -> None:
        """Add one dict, as an entry of the config would. Raises ConfigError, and what the engine raises.

        Inside a transaction only one that was removed with `del` can be added, and must be what it was.
        """
        if self._is_closed:
            raise StoreClosed(f"{self!r} was closed")
        entry = {"implementation": implementation, "settings": settings, "name": name, "load": load, "clear": clear}
        for checked in read_config(entry, TAKEN_NAMES | self._dicts.keys()):
            if checked.name in self._removed:
                self._bring_back(checked)
            else:
                self._check_can_grow()
                self._add(checked)

    def declare(self, name: str) -> CachedDict:
        """The dict `name`, like `plugin.store`, that code declares and no entry need have; made when first asked for, an attribute by
        `getattr` alone.

        It lives where the entry of its name says, or the entry `*`, or else beside the first entry that keeps its data. Raises
        ConfigError if there is none, and StorageError if it would have to be made inside a transaction of this storage.
        """
        if name not in self._dicts:
            if not is_store_name(name):
                raise ConfigError([Fault("", "declare()", "name", f"{name!r} is no name of a store", "write it like plugin.store")])
            self._check_can_grow()
            entry = entry_for(self._entries.values(), name)
            self._show(name, self._make(entry, name, load=entry.load, clear=entry.clear))
        return self._dicts[name]

    def join(self, name: str, other: MoobiusStorage) -> None:
        """Let a dict of another storage take part in this one's transactions, as it may in those of many storages at the same time.

            bank = MoobiusStorage("1", "bank", config)
            for storage in (tavern, library):
                storage.join("gold", bank)

            with tavern.transaction():
                tavern.health_bars["ann"] += 10
                bank.gold["ann"] -= 5           # together, or not at all

        Transactions do not wait for each other because of it. Instead the end of one raises VersionConflict if something that it looked at in
        the joint dict was changed meanwhile; nothing was changed then, and to run it again is the remedy, with `transaction(again=...)`, as
        that cannot meet with it any more.

        `other` stays the caller's to close, after this one. Raises ConfigError if the two cannot commit together: if this storage's dicts are
        in another engine group, a two-phase commit serves, of which the joint dicts decide, unless other processes write to this storage's.
        """
        self._check_can_grow()
        made: CachedDict = getattr(other, name)
        groups = {state.content.joint_group for state in self._states if state.engine.persistent}
        problem = self._joint_problem(made.database, groups)
        if problem is not None:
            remedy = "give it the engine and settings of the others; in a Redis cluster no dict can be used by several channels"
            raise ConfigError([Fault("", "join()", name, problem, remedy)])
        made._state.is_joint = True
        made._content.noted = None  # nobody asks this dict for news, which would grow for ever
        entry = other._entries.get(name) or entry_for(other._entries.values(), name)
        self._two_phase.add(name, made.database, partial(self._engine, entry), joint=True)
        self._joint_overlaps &= made.database.overlaps and (not made.database.persistent or {made.database.joint_group()} >= groups)
        self._joint[name] = made

    def joint(self, name: str) -> CachedDict | None:
        """The dict of another storage that was joined under this name."""
        return self._joint.get(name)

    def settle(self) -> None:
        """Finish or drop what a crash has left half done of commits over several engines, once all dicts are here that code declares.

        Raises StorageError, and then it stays as it was.
        """
        self._check_can_grow()
        if self._two_phase.is_unsettled:
            with locks.held(self._locks), locks.held(in_order(self._two_phase.joint)):
                self._findings += self._two_phase.settle()

    def put(self, name: str, database: DatabaseInterface, load: bool = True, clear: bool = False) -> None:
        """Add a dict over an engine object of your own; the storage closes it in the end. Raises ConfigError for the name."""
        self._check_can_grow()
        problem = name_problem(name, TAKEN_NAMES | self._dicts.keys())
        if problem is not None:
            raise ConfigError([Fault("", "put()", "name", *problem)])
        self._show(name, self._adopt(database, Path(DEFAULT_ROOT), load=load, clear=clear))

    def system(self, name: str) -> CachedDict:
        """A dict for bookkeeping of the program itself, made when first asked for.

        It lives beside the first entry of the config that keeps its data, and takes part in transactions.
        """
        if name not in self._systems:
            self._check_can_grow()
            beside = self._beside or DictConfig(implementation="null", name="unused")
            self._systems[name] = self._make(beside, f"_{name}", load=True, clear=False)
        return self._systems[name]

    def beside(self, variant: str) -> MoobiusStorage:
        """A storage of the same ids and another variant, whose `system` dicts are in the engine of this one's, and which has no others.

        It has a version of its own: commits to one never meet those to the other. Whoever asks for it closes it.
        """
        made = MoobiusStorage(self.service_id, self.channel_id, variant=f"{self.variant}-{variant}" if self.variant else variant)
        made._beside = self._beside
        return made

    def names(self) -> tuple[str, ...]:
        """The names of the dicts, in the order of the config."""
        return tuple(self._dicts)

    def __getattr__(self, name: str) -> CachedDict:
        dicts = self.__dict__.get("_dicts", {})
        if name in dicts:
            return cast(CachedDict, dicts[name])
        hint = suggestion(name, dicts) or f"the dicts of this storage are {', '.join(dicts) or 'none'}"
        raise AttributeError(f"there is no dict {name!r}: {hint}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        dicts = self.__dict__.get("_dicts", {})
        if name in dicts:
            if value is dicts[name]:
                return  # what `storage.bars |= {...}` ends with
            raise AttributeError(f"{name} is a dict of this storage; change its keys, or use its clear() and update()", name=name, obj=self)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        """Take a dict out of sight. Its data stays, and `add_container` brings it back."""
        super().__delattr__(name)
        if name in self._dicts:
            self._removed[name] = self._dicts.pop(name)

    # -- transactions ------------------------------------------------------------------------------------------------

    def transaction(
        self, member: str = "", event: str = "", *, overlap: bool = False, exclusive: str = "", again: Transaction | None = None
    ) -> Transaction:
        """All changes to all dicts inside are committed together at the end, or none if an exception leaves the block.

        For `with` and `async with`; inside another transaction of this storage it joins that one. `member` and `event` go
        into the journal of an engine that has one. Leaving the block raises CommitFailed if an engine refused; nothing
        was changed then. Entering raises StorageBusy where waiting for another transaction would block an event loop.

        With `overlap` leaving the block only hands the commit to the engine, and the `outcome` of the transaction tells later, in order,
        whether it was made:

            async with storage.transaction(overlap=True) as transaction:
                storage.health_bars["ann"] -= 10
            ...                            # the next one may begin now, and sees 10 less
            await transaction.outcome      # now it is safe; or it raises CommitFailed

        If a commit fails, so do all that were built on it; leaving the block of one that is open then raises PredecessorFailed,
        whatever happened in it. Everybody outside of such transactions sees only what is safe, and writers wait until all is.
        Storages over several engine groups, with dicts that are not loaded or with engines that cannot do so commit before the
        block is left; the outcome is known then.

        With `exclusive` code inside can read the dicts of other storages but not change them, which could not be undone with the rest:
        that raises ForeignDict, with the text given here, which says what to do instead. Other storage objects over the same data take
        part, as far as all of it is theirs, too.

        `again` is an attempt at the same that has ended with VersionConflict: nobody else changes the joint dicts that it used from the
        beginning of this one on (see `join`).

        Threads and tasks that were started inside and go on after the end get TransactionEnded from its dicts, until they begin a
        transaction of their own.
        """
        if self._is_closed:
            raise StoreClosed(f"{self!r} was closed")
        states, origin = self._states, Origin(member, event)
        if not overlap:
            return Transaction(self, states, self._locks, origin, sync=True, two_phase=self._two_phase, exclusive=exclusive, again=again)
        pipeline = self._pipeline if self._joint_overlaps and self._pipeline.is_possible(states, self._locks) else None
        return Transaction(
            self, states, self._locks, origin,
            sync=True, two_phase=self._two_phase, pipeline=pipeline, overlaps=True, exclusive=exclusive, again=again,
        )  # fmt: skip

    def savepoint(self) -> Savepoint:
        """A part of the open transaction that can be undone alone: leaving this block by an exception undoes what was done in it.

            with storage.transaction():
                storage.gold["ann"] -= 5
                with suppress(ValueError), storage.savepoint():
                    storage.gold["bob"] += 5
                    raise ValueError       # bob has what he had; ann still pays

        The exception goes on its way, and the transaction goes on behind it. Dicts, lists and sets that had been handed out before are
        the same objects with their old content. What was read or made only in the part that was undone belongs to nothing any more:
        the end of the transaction raises ValueRefused if it is changed later. For `with` only, in tasks and in threads; may be nested.
        Raises StorageError outside of transactions.
        """
        return Savepoint(self, self._locks)

    def commit(self) -> None:
        """Write all values that were changed in place, in one commit. In a transaction its end does that."""
        outside = [state for state in self._states if state.overlay_to_change() is None]
        if outside:
            saving.save(outside, two_phase=self._two_phase)

    # -- other processes ---------------------------------------------------------------------------------------------

    @property
    def is_shared(self) -> bool:
        """Whether other processes may commit to the dicts of `system`, because these are in an engine that several can use."""
        return any(each.database.announces for each in self._systems.values())

    def follow(self, listener: Callable[[], None]) -> None:
        """Take over what other processes commit, until `close`; `listener` is called, in any thread, when `news` may have some."""
        ends = [each.database.follow(listener) for each in (*self._dicts.values(), *self._systems.values())]
        self._ends += [end for end in ends if end is not None]

    def news(self) -> dict[str, set[str] | None]:
        """The dicts that others changed since this was called last, with the changed keys; None where there is no telling which.

        By the last part of their domains: the dicts of `system` begin with an underscore. Does not wait for engines.
        """
        found = {}
        for state in self._states:
            state.refresh()
            noted = state.content.take_news()
            if noted is None or noted:
                found[state.name] = noted
        return found

    @property
    def report(self) -> list[Finding]:
        """What the engines found while opening and reading, and what was cleared."""
        findings = list(self._findings)
        for each in (*self._dicts.values(), *self._systems.values()):
            findings += each.report
        return list(dict.fromkeys(findings))

    def problems(self) -> list[str]:
        """What is wrong with the engines at the moment, in words for an operator: servers away, threads that failed. Asks no server."""
        engines = [state.engine for state in self._states]
        return list(dict.fromkeys(engine.problem for engine in engines if engine.problem is not None))

    def notices(self) -> list[str]:
        """What an operator has to know of the engines although they work: that a server lost something lately, say. Asks no server."""
        engines = [state.engine for state in self._states]
        return list(dict.fromkeys(engine.notice for engine in engines if engine.notice is not None))

    # -- the end -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write what was changed in place and close the engines. Calling it twice is fine.

        Raises StorageBusy inside a transaction of this storage, and otherwise closes in any case: what could not be
        written is raised at the end. In a signal handler that interrupted an operation of storage it returns at once, and closes
        when that has ended.
        """
        if self._is_closed:
            return
        if is_interrupting():
            saving.defer(partial(self._end, saving.close), repr(self))
        else:
            self._end(saving.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MoobiusStorage({self.service_id!r}, {self.channel_id!r}, {', '.join(self._dicts) or 'empty'})"

    # ----------------------------------------------------------------------------------------------------------------

    def _add(self, entry: DictConfig) -> None:
        if entry.is_for_stores:
            self._entries[entry.name] = entry
            if self._beside is None and keeps(entry):
                self._beside = entry
            return
        made = self._make(entry, entry.name, load=entry.load, clear=entry.clear)
        self._show(entry.name, made)
        self._entries[entry.name] = entry
        if self._beside is None and made.database.persistent:
            self._beside = entry

    def _show(self, name: str, made: CachedDict) -> None:
        # A plain attribute, so that it is found as fast as any, and by those who look through `vars(storage)`.
        self.__dict__[name] = self._dicts[name] = made

    def _bring_back(self, entry: DictConfig) -> None:
        before = self._entries.get(entry.name)
        if before is None or entry.clear or (entry.implementation, entry.settings) != (before.implementation, before.settings):
            raise StorageError(f"the dict {entry.name} was removed and can come back as what it was; make another storage for anything else")
        self._show(entry.name, self._removed.pop(entry.name))
        if entry.load and not self._dicts[entry.name].is_loaded:
            self._dicts[entry.name].load()

    def _make(self, entry: DictConfig, name: str, *, load: bool, clear: bool) -> CachedDict:
        database = self._engine(entry, name)
        try:
            made = self._adopt(database, Path(entry.settings.get("root_dir") or DEFAULT_ROOT), load=load, clear=clear)
        except BaseException:
            database.close()
            raise
        self._two_phase.add(name, database, partial(self._engine, entry))
        return made

    def _engine(self, entry: DictConfig, name: str) -> DatabaseInterface:
        return engine_class(entry.implementation)(domain_of(self.service_id, self.channel_id, name, self.variant), **entry.settings)

    def _adopt(self, database: DatabaseInterface, root: Path, *, load: bool, clear: bool) -> CachedDict:
        other = self._adopted.get(database.lock)
        if other is not None:  # in one transaction neither would see what the other one changes
            raise StorageError(f"{database!r} holds the same data as the dict {other.name} of this storage")
        if not database.persistent:
            self._share_with_transaction(database)
        made = CachedDict(database)
        is_inside_one = made._state.overlay_to_change() is not None if clear else False
        if clear and not is_inside_one:
            finding = clear_engine(database, root)
            self._findings += [finding] if finding else []
        if load:
            made.load()
        if is_inside_one:
            made.clear()
        self._adopted[database.lock] = made._state
        if not self._is_opening:
            self._count_in()
        self._register_at_exit(database)
        return made

    def _joint_problem(self, database: DatabaseInterface, groups: set[Hashable]) -> str | None:
        """Why a joint dict cannot be committed together with the dicts of this storage; None if it can."""
        group = database.joint_group()
        if not database.persistent or groups <= {group}:
            return None
        if any(state.engine.announces for state in self._states if state.content.joint_group != group):
            return f"{database!r} cannot commit together with this storage's dicts: other processes write to them, and they are not on one server"
        if any(each != group for each in self._two_phase.joint_groups):
            return f"it is in {database!r}, and other dicts that several storages use are elsewhere"
        return None

    def _count_in(self) -> None:
        # Once for all dicts of the config: doing it for each would cost with their square.
        self._states = tuple(self._adopted.values())
        self._locks = in_order(self._adopted)

    def _register_at_exit(self, database: DatabaseInterface) -> None:
        """At exit the last that was registered comes first, and engines have their own way to close then, which must not come before ours.

        All finalizers together are registered once, by the first of them; an engine of others may register each of its objects.
        """
        if not (self._is_registered and database.closes_by_finalizer):
            atexit.unregister(self._close_at_exit)
            atexit.register(self._close_at_exit)
            self._is_registered = self._is_registered or database.closes_by_finalizer

    def _share_with_transaction(self, database: DatabaseInterface) -> None:
        """A storage that is made inside a transaction of another one of the same channel takes part with the dicts in memory, too."""
        scope = innermost.get()
        for member in scope.members if scope is not None and scope.is_open else ():
            engine = member.content.engine
            if not engine.persistent and engine.domain == database.domain and type(engine) is type(database):
                database.lock = engine.lock

    def _check_can_grow(self) -> None:
        if self._is_closed:
            raise StoreClosed(f"{self!r} was closed")
        if any(is_inside(state.engine.lock) and state.scope is not None for state in self._states):
            raise StorageError("dicts cannot be added inside a transaction of the same storage")

    def _abandon(self) -> None:
        for state in self._adopted.values():
            state.close()
        self._two_phase.close()
        self._is_closed = True
        atexit.unregister(self._close_at_exit)

    def _end(self, close: Callable[[Sequence[DictState]], None]) -> None:
        try:
            close(self._states)
        finally:
            self._is_closed = all(state.scope is CLOSED for state in self._states)
            if self._is_closed:
                atexit.unregister(self._close_at_exit)
                self._two_phase.close()
                while self._ends:
                    self._ends.pop()()

    def _close_at_exit(self) -> None:
        if os.getpid() != self._pid:
            return  # a forked child leaves the parent's engines alone
        try:
            self._end(saving.close_at_exit)
        except (StorageError, OSError):
            _log.exception("%r could not be closed well at the end of the program", self)


TAKEN_NAMES = frozenset(dir(MoobiusStorage)) | {"service_id", "channel_id", "variant"}
"""What no dict can be called, because the class itself uses it."""
