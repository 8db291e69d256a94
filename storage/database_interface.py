"""The engine contract.

An engine holds the keys of one *domain*. Its four abstract methods are those of the Moobius SDK, with the same names and
results; an engine that has only these works. The rest is built from the four here, and an engine that can do better
(bulk loads, atomic commits of several dicts) overrides it.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import msgspec

from storage.domain_lock import DomainLock
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.encoding.texts import plain_key
from storage.errors import StorageError, StorageUnavailable, UnreadableValue, ValueRefused
from storage.one_by_one import commit_one_by_one
from storage.outcome import Outcome

_log = logging.getLogger(__name__)


class Origin(msgspec.Struct, frozen=True):
    """Who and what caused a commit; an engine with a journal keeps it there."""

    member: str = ""
    event: str = ""
    command: str = ""
    """What handled the event, like `bars: /hit`."""


@dataclass(frozen=True)
class Finding:
    """One thing that an engine found while opening or loading, for `storage.report`.

    `kind` is `replayed`, `torn`, `quarantined`, `cleared`, `mended`, `lost` (acknowledged, and gone from a server) or `note`; `kept` names the
    file that keeps the data set aside.
    """

    kind: str
    domain: str
    key: str | None
    where: str
    reason: str
    kept: str | None = None


class DomainChanges(msgspec.Struct, frozen=True):
    """What one commit does to one domain, in order: `(key, encoded)` sets, `(key, None)` deletes.

    A struct of msgspec, as one is made for every commit and a frozen dataclass takes six times as long to make.
    """

    engine: DatabaseInterface
    changes: Sequence[tuple[str, Encoded | None]]
    base: int | None = None
    """What `begin` returned: the engine refuses the commit if somebody else has committed since. None takes that as it is."""


class News(msgspec.Struct, frozen=True):
    """What was committed to a domain up to a version: `content`, where it is not None, replaced everything, then came the changes."""

    version: int
    content: Mapping[str, Encoded] | None
    changes: Sequence[tuple[str, Encoded | None]]
    foreign: Collection[str] = ()
    """The keys among the changes that other processes changed."""


class DatabaseInterface(ABC):
    """One engine object serves one domain; engine objects of one `group` commit together."""

    persistent: ClassVar[bool] = True
    """False for an engine that keeps nothing; a dict over it is the only place where its values are."""

    version: int = 0
    """Grows by one with each commit that touches the domain, through any object of this process; 0 for ever if the engine
    cannot tell."""

    announces: ClassVar[bool] = False
    """True for an engine that others may write to: its transactions `begin`, and it raises `version` itself when a commit
    failed and it is not known what that left."""

    overlaps: ClassVar[bool] = False
    """Whether the engine has `hand_in`. Of one that keeps nothing it says that its `commit_batch` never refuses, and nothing is handed in."""

    closes_by_finalizer: ClassVar[bool] = False
    """Whether what closes it at the end of the interpreter is a `weakref.finalize`, and nothing that each object registers with `atexit`."""

    waits: bool = False
    """Whether `begin` would have to ask a server, because there is doubt about what is known here or because others want to commit."""

    followed: bool = False
    """Whether the commits of other processes come in by themselves, so that nobody has to ask for them."""

    problem: str | None = None
    """What is wrong with the engine at the moment, in words for an operator: it could not be reached when it was needed last, say."""

    notice: str | None = None
    """What an operator has to know although the engine works: that a server lost something lately, say."""

    lost_commits: int = 0
    """How many acknowledged commits are gone from the server that had them, as far as this process knows."""

    domain: str
    report: list[Finding]
    lock: DomainLock
    """Held by the one open transaction over this domain. Engines that share data between objects share the lock."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        # Here and not in the constructor: engines of other authors may not call it.
        made = super().__new__(cls)
        made.domain = ""
        made.report = []
        made.lock = DomainLock()
        return made

    def __init__(self, domain: str = "", **settings: Any) -> None:
        self.domain = domain

    @abstractmethod
    def get_value(self, key: str) -> tuple[bool, Any]:
        """`(True, value)`, or `(False, message)` if the key is not there or not readable."""

    @abstractmethod
    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        """`(True, key)`, or `(False, message)`, and then the old value is still there."""

    @abstractmethod
    def delete_key(self, key: str) -> tuple[bool, str]:
        """`(True, key)`, or `(False, message)`; a key that is not there is the latter."""

    @abstractmethod
    def all_keys(self) -> Iterable[str]:
        """Every key of the domain; the iterable stays as it is while the domain changes."""

    def group(self) -> Hashable:
        """Engines with equal groups take part in one `commit_batch` call."""
        return id(self)

    def joint_group(self) -> Hashable:
        """Engines with equal ones take part in one `commit_batch` call, too, though what others commit to them is told apart."""
        return self.group()

    def moment(self, since: float) -> int | None:
        """What `begin` returns, without asking a server: the point up to which the commits of others are known here.

        `since` is when the transaction began that builds on it, by `time.monotonic`.
        """
        return None

    def begin(self) -> int | None:
        """The point on which a transaction builds that begins now, for engines that can tell whether others commit meanwhile.

        Raises StorageUnavailable.
        """
        return None

    def has_news(self, seen: int) -> bool:
        """Whether `news` knows what was committed after the version `seen`, without asking a server."""
        return False

    def news(self, seen: int) -> News | None:
        """What was committed after the version `seen`; None sends whoever asks to `load_all`. Raises StorageUnavailable."""
        return None

    def follow(self, listener: Callable[[], None]) -> Callable[[], None] | None:
        """Let the commits of other processes come in, and call `listener`, in any thread, when some came.

        The listener must not touch dicts: whoever calls it holds locks. The result ends that. None if there are no other processes that could commit.
        """
        return None

    def load_one(self, key: str) -> Encoded | None:
        """The encoded value of the key, or None if it is not there.

        Raises UnreadableValue for a value that could not be kept exactly, and StorageUnavailable like `load_all`.
        """
        found, value = self.get_value(key)
        if not found:
            return None
        try:
            return codec.encode(value)
        except ValueRefused as error:
            raise UnreadableValue(f"{self!r} holds a value that cannot be kept exactly: {error}") from error

    def load_all(self) -> dict[str, Encoded]:
        """Every readable key with its encoded value, in the engine's order. What is unreadable goes to `report`, and to the log.

        Raises StorageUnavailable if the engine cannot be reached.
        """
        loaded: dict[str, Encoded] = {}
        for key in self.all_keys():
            try:
                loaded[plain_key(key)] = self._encoded(key)
            except StorageUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - by their contract engines raise nothing, and one key must not cost the others
                reason = str(error) if isinstance(error, StorageError) else f"{type(error).__name__}: {error}"
                self.report.append(Finding("quarantined", self.domain, key if isinstance(key, str) else repr(key), repr(self), reason))
                _log.warning("%r: the key %r cannot be read, and is left as it is: %s", self, key, reason)
        return loaded

    def _encoded(self, key: str) -> Encoded:
        found, value = self.get_value(key)
        if not found:
            raise StorageError(str(value))
        return codec.encode(value)

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        """Apply everything, or nothing and raise CommitFailed. `sync` asks for safety against power loss.

        This default serves engines that have only the four methods: it goes change by change, and takes back what it
        did when one is refused, or when an engine raises in spite of its contract.
        """
        commit_one_by_one((part.engine, key, encoded) for part in batch for key, encoded in part.changes)

    def commit_one(self, key: str, encoded: Encoded | None) -> None:
        """`commit_batch` of one change to this engine's own domain, by nobody in particular and without sync: what `d[key] = value` is."""
        self.commit_batch((DomainChanges(self, ((key, encoded),)),), Origin(), sync=False)

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        """The same, without blocking the event loop.

        When this returns or raises, the commit is over. That holds for a cancellation too: it is raised once the engine
        has finished, because until then nobody knows what the engine holds.
        """
        await to_the_end(self.commit_batch, batch, origin, sync=sync)

    def hand_in(self, batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
        """Begin `commit_batch` and return without waiting, for engines that `overlaps`; what is returned names this commit.

        `after` is what this method returned for the commit that this one was built on, or None if it was built on what was committed
        when it began (then the parts have their `base`, if the engine gives any; with `after` they have none). If `after` fails, or
        anything else was committed to the channel after it, this must fail, with PredecessorFailed or VersionConflict: by what the
        predecessor *is*, never by how many commits were counted. An engine may forget a predecessor as soon as it has succeeded.

        `outcome.settle` is called once for each commit, in the order in which they were handed in, in whatever thread, but not by this
        method itself; `version` is raised before. `storage.engine_support.committer` has a thread that does so. Raises StorageError if
        nothing was begun; then `outcome` is not touched. May be called from any thread, and never blocks.
        """
        raise NotImplementedError

    def size(self) -> int | None:
        """Bytes that the domain takes where it is kept, None if the engine cannot tell. May ask a server. Raises StorageError."""
        return None

    def shared_size(self) -> int | None:
        """Bytes that are kept for all engines of the `group` together, such as a journal; otherwise like `size`."""
        return None

    def probe(self) -> bool:
        """Whether commits of the `joint_group` would be kept now, found out by a write that leaves nothing behind.

        False if the engine cannot find out, as those that have only the four methods. Blocks. Raises StorageError, which says why they would not.
        """
        return False

    def close(self) -> None:  # noqa: B027 - many engines have nothing to let go of
        """Let go of files and connections. Calling it twice is fine."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.domain!r})"


async def to_the_end(work: Callable[..., None], *arguments: Any, **named: Any) -> None:
    """Run blocking work in a thread. A cancellation is raised when the work is over, because until then nobody knows its outcome."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # the cancellation comes first; this marks the failure as seen
        raise
