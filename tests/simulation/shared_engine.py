"""An engine that several processes share over a network: what a server is to Redis engines, without the server.

A commit goes to the server in order, and its answer comes back in order, if the connection lasts. The server takes a commit only if the
channel's newest commit is the one that it was built on, and each number of a process once. What one process commits, the others hear
of a while later.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from storage.database_interface import DatabaseInterface, DomainChanges, News, Origin
from storage.encoding import codec
from storage.encoding.codec import Encoded
from storage.errors import CommitFailed, OutcomeUnknown, PredecessorFailed, StorageError, StorageUnavailable, VersionConflict
from storage.outcome import Outcome, WakeUps
from storage.redis.domain import SharedDomain

if TYPE_CHECKING:
    from tests.simulation.loop import Process
    from tests.simulation.world import World

_APART = 1e-6
_STREAM_LENGTH = 40
"""Commits that the server remembers: so few that some fall behind."""

Changes = Mapping[str, Sequence[tuple[str, Encoded | None]]]


@dataclass
class Channel:
    """What the server keeps of one channel."""

    version: int = 0
    newest: tuple[str, int] = ("", 0)
    """The process of the newest commit, and its number there."""
    content: dict[str, dict[str, Encoded]] = field(default_factory=dict)
    stream: list[tuple[int, str, Changes]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    results: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)


class SharedServer:
    """The server. What it took stays."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.channels: dict[str, Channel] = {}
        self.followers: list[ChannelClient] = []
        self.is_away = False

    def channel(self, name: str) -> Channel:
        """What is kept of a channel."""
        return self.channels.setdefault(name, Channel())

    def commit(self, name: str, commit: Commit) -> tuple[str, int]:
        """`done`, `conflict` or `orphan`, with the version; a number that was seen before is answered as it was."""
        channel, known = self.channel(name), (commit.process, commit.number)
        if known in channel.results:
            return channel.results[known]
        if commit.number <= channel.numbers.get(commit.process, 0):
            return ("ignored", channel.version)
        channel.numbers[commit.process] = commit.number
        if commit.after and channel.newest != (commit.process, commit.after):
            return self._answer(channel, known, "orphan")
        if not commit.after and commit.base is not None and commit.base != channel.version:
            return self._answer(channel, known, "conflict")
        channel.version += 1
        channel.newest = known
        for domain, changes in commit.changes.items():
            content = channel.content.setdefault(domain, {})
            for key, value in changes:
                content.pop(key, None)
                if value is not None:
                    content[key] = value
        channel.stream = [*channel.stream, (channel.version, commit.process, commit.changes)][-_STREAM_LENGTH:]
        for follower in tuple(self.followers):
            if follower.name == name:
                follower.hear()
        return self._answer(channel, known, "done")

    def since(self, name: str, version: int) -> list[tuple[int, str, Changes]] | None:
        """The commits after a version; None if some of them are forgotten."""
        channel = self.channel(name)
        missed = [entry for entry in channel.stream if entry[0] > version]
        return missed if len(missed) == channel.version - version else None

    def fence(self, name: str, process: str, number: int) -> None:
        """Take no commit of this process any more up to this number."""
        channel = self.channel(name)
        channel.numbers[process] = max(channel.numbers.get(process, 0), number)

    def _answer(self, channel: Channel, known: tuple[str, int], what: str) -> tuple[str, int]:
        channel.results[known] = (what, channel.version)
        return channel.results[known]


@dataclass(eq=False)
class Commit:
    """One commit on its way."""

    process: str
    number: int
    changes: Changes
    base: int | None
    after: int
    """The number of the one that it was built on, 0 for none of those that are on their way."""
    outcome: Outcome
    before: Commit | None
    known: int = 0
    """The version that the process knew when it sent this."""
    failure: StorageError | None = None


class ChannelClient:
    """One channel as one process knows it."""

    def __init__(self, server: SharedServer, process: Process, name: str) -> None:
        self.server = server
        self.process = process
        self.name = name
        self.version = -1
        self.is_behind = False
        self.is_unsettled = False
        self.is_followed = False
        self.domains: dict[str, SharedDomain] = {}
        self.listeners: list[Callable[[], None]] = []
        self._number = 0
        self._given_up = 0
        """Own commits up to this number are news, for those who waited for them have written them off."""
        self._sent: list[Commit] = []
        self._times = {"up": 0.0, "down": 0.0}

    @property
    def waits(self) -> bool:
        """Whether the server has to be asked before anything is built on what is known."""
        return self.is_behind or self.is_unsettled or self.version < 0

    def hand_in(self, changes: Changes, base: int | None, outcome: Outcome, before: Commit | None) -> Commit:
        """Send a commit after those that were sent before."""
        self._number += 1
        commit = Commit(self.process.name, self._number, changes, base, before.number if before else 0, outcome, before, self.version)
        self._sent.append(commit)
        self._carry("up", self._arrive, commit)
        return commit

    def commit_now(self, changes: Changes) -> None:
        """Commit whatever others did, and wait."""
        self._check_server()
        self._number += 1
        self.server.commit(self.name, Commit(self.process.name, self._number, changes, None, 0, Outcome(), None))
        self.catch_up()

    def catch_up(self) -> None:
        """Ask the server what is new. Raises StorageUnavailable."""
        self._check_server()
        if self.is_unsettled:
            self.server.fence(self.name, self.process.name, self._number)
            self.is_unsettled = False
        missed = None if self.version < 0 else self.server.since(self.name, self.version)
        if missed is None:
            channel = self.server.channel(self.name)
            for name, domain in self.domains.items():
                domain.advance((), dict(channel.content.get(name, {})))
            self.version = channel.version
        else:
            self._feed(missed)
        self.is_behind = False
        self._given_up = 0

    def hear(self) -> None:
        """Somebody has committed, of which this process hears in a while."""
        if self.is_followed and self.process.is_alive:
            self._later(self.server.world.random.expovariate(1 / 0.01), self._listen)

    def follow(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Hear of the commits of others until the result is called."""
        self.is_followed = True
        self.listeners.append(listener)
        if self not in self.server.followers:
            self.server.followers.append(self)
        return partial(self._unfollow, listener)

    # --------------------------------------------------------------------------------------------------------------------

    def _unfollow(self, listener: Callable[[], None]) -> None:
        self.listeners.remove(listener)
        if not self.listeners:
            self.is_followed = False
            self.server.followers.remove(self)

    def _listen(self) -> None:
        if not self.is_followed:
            return
        before = self.version
        try:
            self.catch_up() if self.waits else self._feed_or_reload()
        except StorageUnavailable:
            self.is_behind = True
            self._later(0.2, self._listen)
            return
        if self.version != before:
            for listener in tuple(self.listeners):
                listener()

    def _feed_or_reload(self) -> None:
        self._check_server()
        missed = self.server.since(self.name, self.version)
        if missed is None:
            self.catch_up()
        else:
            self._feed(missed)

    def _feed(self, entries: Iterable[tuple[int, str, Changes]]) -> None:
        for version, process, changes in entries:
            if version == self.version + 1:
                is_own = process == self.process.name and not self._given_up
                for name, domain in self.domains.items():
                    if name in changes:
                        domain.advance(list(changes[name]), is_own=is_own)
                self.version = version

    def _arrive(self, commit: Commit) -> None:
        """At the server. The process need not be alive any more."""
        world = self.server.world
        if self.server.is_away or world.random.random() < world.network.loss_rate:
            self._lose(is_taken=False)
            return
        answer = self.server.commit(self.name, commit)
        if world.random.random() < world.network.loss_rate:
            self._lose(is_taken=True)
            return
        self._carry("down", self._answered, commit, answer)

    def _answered(self, commit: Commit, answer: tuple[str, int]) -> None:
        if not self._sent or self._sent[0] is not commit:
            return  # it was given up, or one before it is lost and it will be
        what, version = answer
        self._sent.remove(commit)
        if what == "done":
            if self.version < version:
                self._feed_or_lose(version)
            self._settle([commit], None)
        else:
            self._feed_or_lose(version)
            earlier = commit.before.failure if commit.before is not None else None
            conflict = VersionConflict("another process committed first; nothing was changed")
            self._settle([commit], PredecessorFailed.after(earlier) if earlier is not None else conflict)

    def _feed_or_lose(self, version: int) -> None:
        missed = self.server.since(self.name, self.version)
        if missed is None:
            self.is_behind = True
        else:
            self._feed(entry for entry in missed if entry[0] <= version)

    def _lose(self, *, is_taken: bool) -> None:
        """The connection broke: of what was sent nobody knows what arrived."""
        self.server.world.note("lost", self.process.name, self.name, is_taken)
        self._later(0.05, self._give_up, list(self._sent))

    def _give_up(self, lost: list[Commit]) -> None:
        lost = [commit for commit in lost if commit in self._sent]
        if lost:
            # The later ones may arrive yet: the fence of whoever begins next keeps them out.
            more = [commit for commit in self._sent if commit.number > lost[0].number]
            self._sent = [commit for commit in self._sent if commit.number < lost[0].number]
            self._given_up = self._number
            self.is_behind = self.is_unsettled = True
            if self.version > lost[0].known:
                # They may have been heard of as one's own, which they are no more: nobody takes them over.
                for domain in self.domains.values():
                    domain.forget()
            self._settle([lost[0], *more], OutcomeUnknown("the connection broke before an answer came"))

    def _settle(self, commits: Sequence[Commit], failure: StorageError | None) -> None:
        wake_ups = WakeUps()
        for commit in commits:
            commit.failure = failure
            commit.outcome.settle(failure, wake_ups)
        wake_ups.send()

    def _carry(self, way: str, call: Callable[..., None], *what: Any) -> None:
        world = self.server.world
        due = max(self._times[way] + _APART, world.loop.time() + world.random.expovariate(1 / world.network.delay))
        self._times[way] = due
        # What is on its way to the server arrives, whatever becomes of who sent it.
        context = world.context if way == "up" else self.process.context
        world.loop.call_at(due, world.loop.run_in_no_loop, partial(call, *what), context=context)

    def _later(self, seconds: float, call: Callable[..., None], *what: Any) -> None:
        loop = self.server.world.loop
        loop.call_later(seconds, loop.run_in_no_loop, partial(call, *what), context=self.process.context)

    def _check_server(self) -> None:
        if self.server.is_away:
            raise StorageUnavailable("the simulated server does not answer; nothing was changed")


class SharedDatabase(DatabaseInterface):
    """One domain of the server."""

    announces: ClassVar[bool] = True
    overlaps: ClassVar[bool] = True

    def __init__(self, domain: str, client: ChannelClient) -> None:
        super().__init__(domain)
        self._client = client
        self._domain = client.domains.setdefault(domain, SharedDomain(domain))
        self._domain.join(self)

    @property
    def waits(self) -> bool:  # type: ignore[override]
        return self._client.waits

    @property
    def followed(self) -> bool:  # type: ignore[override]
        return self._client.is_followed

    def get_value(self, key: str) -> tuple[bool, Any]:
        known = self._content().get(key)
        return (False, f"there is no key {key!r}") if known is None else (True, codec.decode(known))

    def set_value(self, key: str, value: Any) -> tuple[bool, str]:
        self._client.commit_now({self.domain: [(key, codec.encode(value))]})
        return True, key

    def delete_key(self, key: str) -> tuple[bool, str]:
        if key not in self._content():
            return False, f"there is no key {key!r}"
        self._client.commit_now({self.domain: [(key, None)]})
        return True, key

    def all_keys(self) -> Iterable[str]:
        return list(self._content())

    def group(self) -> Hashable:
        return ("simulated", self._client.name)

    def load_all(self) -> dict[str, Encoded]:
        self._domain.loads(self)
        self._client.catch_up()
        return dict(self._content())

    def begin(self) -> int | None:
        if self._client.waits:
            self._client.catch_up()
        return self._client.version

    def has_news(self, seen: int) -> bool:
        return self._domain.has_news(seen)

    def news(self, seen: int) -> News | None:
        return self._domain.news(self, seen)

    def follow(self, listener: Callable[[], None]) -> Callable[[], None] | None:
        return self._client.follow(listener)

    def commit_batch(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        self._client.commit_now(_changes(batch))

    async def commit_batch_async(self, batch: Sequence[DomainChanges], origin: Origin, *, sync: bool) -> None:
        outcome = Outcome()
        self.hand_in(batch, origin, outcome, sync=sync)
        await outcome

    def hand_in(self, batch: Sequence[DomainChanges], origin: Origin, outcome: Outcome, after: object = None, *, sync: bool) -> object:
        bases = [part.base for part in batch if part.base is not None]
        return self._client.hand_in(_changes(batch), min(bases, default=None), outcome, after if isinstance(after, Commit) else None)

    def _content(self) -> Mapping[str, Encoded]:
        if self._client.server.is_away:
            raise StorageUnavailable("the simulated server does not answer")
        return self._client.server.channel(self._client.name).content.get(self.domain, {})


def _changes(batch: Sequence[DomainChanges]) -> Changes:
    changes: dict[str, list[tuple[str, Encoded | None]]] = {}
    for part in batch:
        if not isinstance(part.engine, SharedDatabase):
            raise CommitFailed(f"{part.engine!r} is of another kind; nothing was changed")
        changes.setdefault(part.engine.domain, []).extend(part.changes)
    return changes
