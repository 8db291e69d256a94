"""One short life of a store with everything in it, and the states that it may be found in afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from storage.encoding.codec import Encoded
from storage.errors import CommitFailed, PredecessorFailed, StorageError
from storage.files import Files
from storage.json.entry import JournalEntry
from storage.json.journal_records import NOBODY
from storage.json.retained import Retention
from storage.json.store import Store
from storage.json.table import Change, Table
from storage.outcome import Outcome

DOMAINS = ("service_1.channel_x.health_bars", "service_1.channel_x.mana_bars")
State = tuple[list[tuple[str, bytes]], ...]
Commit = dict[str, list[Change]]

COMMITS: list[tuple[Commit, bool]] = [
    ({DOMAINS[0]: [("ann", b"80"), ("bob", b'{"hp":3}')]}, True),
    ({DOMAINS[1]: [("ann", b"5")]}, False),
    ({DOMAINS[0]: [("ann", None)], DOMAINS[1]: [("ann", b"4"), ("cid", b'"x"')]}, True),
    ({DOMAINS[0]: [("ann", b"81"), ("$dollar", b"[1,2]")]}, False),
    ({DOMAINS[1]: [("ann", None), ("ann", b'{"mp":[1,2,{"n":3}]}')], DOMAINS[0]: [("bob", b"4")]}, True),
]
CHECKPOINTS_AFTER = {1, 3}
LONGEST_FAULT = 5
Result = TypeVar("Result")


class Ledger:
    """The states that the commits led to, in order, and which of them were acknowledged."""

    def __init__(self) -> None:
        self.states: list[State] = [([], [])]
        self.acknowledged = 0
        self.synced = 0
        self.failed = 0
        self._now: list[dict[str, bytes]] = [{}, {}]

    def run(self, store: Store, commit: Commit, *, sync: bool) -> None:
        before = [values.copy() for values in self._now]
        self._note(commit)
        try:
            store.commit([(store.table(domain), changes) for domain, changes in commit.items()], sync=sync)
        except CommitFailed:
            self.failed += 1
            self.states.pop()
            self._now = before
            return
        self.acknowledged = len(self.states) - 1
        if sync:
            self.synced = self.acknowledged

    def run_overlapping(self, store: Store, groups: Sequence[Sequence[Commit]]) -> None:
        """Each commit names the one before it; those of a group are written together. All of them are handed in before any is over."""
        tables = _loaded(store)  # and held, so that what fails from here on is the journal
        chain: list[tuple[JournalEntry, Outcome]] = []
        first, before = len(self.states), [values.copy() for values in self._now]
        for commit in (commit for group in groups for commit in group):
            self._note(commit)
            entry = store._entry([(tables[domain], changes) for domain, changes in commit.items()], NOBODY, sync=True)
            entry.after = chain[-1][0] if chain else None
            entry.outcome = outcome = Outcome()
            chain.append((entry, outcome))
        start = 0
        for group in groups:
            store._commit_all([entry for entry, _ in chain[start : start + len(group)]])
            start += len(group)
            made = [outcome.done() and outcome.exception() is None for _, outcome in chain]
            assert made == sorted(made, reverse=True), "a commit was made whose predecessor was not"
            self.acknowledged = self.synced = first - 1 + sum(made)
        self.failed += len(chain) - sum(made)
        assert all(isinstance(outcome.exception(), CommitFailed) for _, outcome in chain[sum(made) :])
        assert all(isinstance(outcome.exception(), PredecessorFailed) for _, outcome in chain[sum(made) + 1 :])
        del self.states[self.acknowledged + 1 :]
        self._now = before if not sum(made) else [dict(values) for values in self.last]

    @property
    def last(self) -> State:
        return self.states[self.acknowledged]

    def _note(self, commit: Commit) -> None:
        for domain, changes in commit.items():
            values = self._now[DOMAINS.index(domain)]
            for key, value in changes:
                if value is None:
                    values.pop(key, None)
                else:
                    values[key] = value
        self.states.append(tuple(list(values.items()) for values in self._now))


def live(root: Path, files: Files, ledger: Ledger, *, overlapping: bool = False) -> None:
    """Opens twice, so that journals, snapshots and both together are read. A disk that fails does not end the story."""
    for commits in (COMMITS[:3], COMMITS[3:]):
        with opened(root, files) as store:
            if overlapping:
                for groups in ([[commits[0][0]], [commit for commit, _ in commits[1:]]], [[COMMITS[3][0]], [COMMITS[0][0]], [COMMITS[4][0]]]):
                    ledger.run_overlapping(store, groups)
                    assert state_of(store) == ledger.last
                    with _tolerating_faults():
                        store.checkpoint()
                    assert state_of(store) == ledger.last
                continue
            for number, (commit, sync) in enumerate(commits):
                ledger.run(store, commit, sync=sync)
                assert state_of(store) == ledger.last
                if number in CHECKPOINTS_AFTER:
                    with _tolerating_faults():
                        store.checkpoint()
                    assert state_of(store) == ledger.last


@contextmanager
def opened(root: Path, files: Files | None = None) -> Iterator[Store]:
    """A store that closes as after a clean stop, or, if something is raised, lets go of everything as it is."""
    store = _open(root, files)
    try:
        yield store
        store.close()
    except BaseException:
        store.abandon()
        raise


def state_of(store: Store) -> State:
    return tuple([(key, bytes(value)) for key, value in _copy(store, domain).items()] for domain in DOMAINS)


def _open(root: Path, files: Files | None) -> Store:
    return _patiently(lambda: Store(root, files=files, checkpoint_bytes=1 << 30, retention=Retention()))


def _loaded(store: Store) -> dict[str, Table]:
    tables = {domain: store.table(domain) for domain in DOMAINS}
    for table in tables.values():
        _patiently(partial(store.load, table))
    return tables


def _copy(store: Store, domain: str) -> dict[str, Encoded]:
    return _patiently(lambda: store.copy(store.table(domain)))


def _patiently(action: Callable[[], Result]) -> Result:
    """What only reads may fail while the disk does, and must work as soon as the fault is over."""
    for _ in range(LONGEST_FAULT):
        with _tolerating_faults():
            return action()
    return action()


@contextmanager
def _tolerating_faults() -> Iterator[None]:
    with suppress(OSError, StorageError):
        yield
