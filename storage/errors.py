"""Everything that storage raises, in one tree.

    StorageError
    ├── ConfigError          the database config has faults; carries all of them
    ├── KeyRefused           a key that is not a string (also a TypeError)
    ├── ValueRefused         a value that could not be restored exactly (also a TypeError and a ValueError, as json raises either)
    ├── UnreadableValue      stored data that cannot be decoded
    ├── CommitFailed         an engine refused; nothing was changed
    │   ├── StorageUnavailable   the engine cannot be reached at the moment
    │   │   └── OutcomeUnknown       it may have been reached, and has not answered
    │   ├── VersionConflict      somebody else committed first
    │   └── PredecessorFailed    a commit that this one was built on failed
    ├── StorageBusy          waiting for a transaction here would block the event loop
    ├── TransactionEnded     used by code whose transaction is over
    ├── ForeignDict          a dict of another storage was to be changed inside an exclusive transaction
    ├── StoreLocked          another process owns the folder
    └── StoreClosed          used after close()

Engines themselves do not raise: their four methods answer (False, message).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class StorageError(Exception):
    """The common ancestor; catching it catches every fault of storage."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a config: where it stands, what is wrong and what would be right."""

    file: str
    entry: str
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.file, self.entry, self.field) if part)
        return f"{place}: {self.problem}; {self.remedy}" if place else f"{self.problem}; {self.remedy}"


class ConfigError(StorageError):
    """Every fault of a config at once, so that an operator mends it in one go."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"the config has {count}:", *(f"  - {fault}" for fault in self.faults)]))


class KeyRefused(StorageError, TypeError):
    """The key is not a string."""

    def __init__(self, key: object) -> None:
        super().__init__(f"keys are strings, and {key!r} is of type {type(key).__name__}; use str(key)")


class ValueRefused(StorageError, TypeError, ValueError):
    """The value holds a part that could not be restored exactly; `path` leads to that part."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class UnreadableValue(StorageError):
    """Stored data that does not decode: damaged, or of a class that is not registered here."""


class CommitFailed(StorageError):
    """The engine refused the commit. Nothing was changed, in memory or in the engine."""


class StorageUnavailable(CommitFailed):
    """The engine cannot be reached at the moment; the same commit may succeed later."""


class OutcomeUnknown(StorageUnavailable):
    """The engine went away between a commit and its answer. Whether anything was changed shows when it is back."""


class VersionConflict(CommitFailed):
    """Another writer committed to the same dicts first; read again and repeat."""


class PredecessorFailed(CommitFailed):
    """A commit that this one was built on failed. Repeated, it is built on what is durable."""

    first: StorageError | None = None
    """What made the first of them fail. Where that is a VersionConflict, to repeat all of them is the remedy."""

    @classmethod
    def after(cls, failure: StorageError) -> PredecessorFailed:
        """For what was built on a commit that failed so."""
        first = failure.first if isinstance(failure, PredecessorFailed) and failure.first is not None else failure
        error = cls(f"a commit that this one was built on failed ({first})")
        error.first = error.__cause__ = first
        return error


class StorageBusy(StorageError):
    """Another transaction is open, and waiting for it on this thread would block the event loop."""


class TransactionEnded(StorageError):
    """Code that was started in a transaction went on to use its dicts after that had ended: a thread or a task that was left alone.

    What it would do now could not be undone with the rest. It may begin a transaction of its own.
    """


class ForeignDict(StorageError):
    """A dict of another storage was to be changed inside an exclusive transaction, which could not take that back."""


class StoreLocked(StorageError):
    """The folder belongs to another running process."""

    def __init__(self, root_dir: str, pid: int | None) -> None:
        self.root_dir = root_dir
        self.pid = pid
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{root_dir} is in use by {owner}; stop that process or choose another root_dir")


class StoreClosed(StorageError):
    """The dict, storage or engine was used after close()."""
