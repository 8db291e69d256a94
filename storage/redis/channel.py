"""One channel in Redis as this process knows it: how far it has come, what others commit, and our own commits.

A process numbers its commits to a channel, and the script ignores a number that is not above the last one it saw. So a
commit whose answer was lost can be sent again and is applied once, and one that was given up comes to nothing if it arrives
after all.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakValueDictionary

from storage.database_interface import Origin
from storage.encoding.codec import Encoded
from storage.redis.address import RedisAddress
from storage.redis.domain import SharedDomain
from storage.redis.history import EMPTY, Entry, History, Position, order_of, read_entry, read_mending
from storage.redis.keys import key_of
from storage.redis.notices import Notices
from storage.redis.scripts import COMMIT, TAKE_TURN, VOID, Request, Script
from storage.redis.turns import IDLE, Turns
from storage.redis.wire import Fields, unpack

_log = logging.getLogger(__name__)

_REMEMBERED_SECONDS = 3600
"""How long the server keeps the number of a process's last commit; no request is under way for longer."""

_FRESH_SECONDS = 1.0
"""How old may be what a transaction begins on, where nobody follows."""


class Runner(Protocol):
    """What asks the server; raises StorageUnavailable or another StorageError."""

    address: RedisAddress
    process: bytes

    def call(self, *command: Any) -> Any: ...

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any: ...

    def run_all(self, requests: Sequence[Request]) -> list[Any]: ...


class RedisChannel:
    """Thread-safe. `lock` is held while commits are on their way, so that their numbers arrive in order."""

    def __init__(self, client: Runner, prefix: bytes) -> None:
        self.lock = threading.Lock()
        self.guard = threading.RLock()
        """Held for moments, by who changes or compares what is known of the channel."""
        self.client = client
        self.prefix = prefix
        self.record = prefix + b":$version"
        self.stream = prefix + b":$stream"
        self.probe = prefix + b":$probe"
        self.last_commit = prefix + b":$process:" + client.process
        self.position: Position | None = None
        """The newest commit that is known here; None before anything is."""
        self.moment = 0
        """Grows with all that becomes known here; what transactions build on."""
        self.history = History()
        self.notices = Notices(self.record, lambda: tuple(self.domains.items()))
        # Weak, so that of a channel that is closed only its position stays. That has to: our next commit goes on from its number.
        self.domains: WeakValueDictionary[bytes, SharedDomain] = WeakValueDictionary()
        self.behind = False
        """There may be commits that are not known here."""
        self.must_reload = False
        """What is known of the dicts does not follow from the commits that are known."""
        self.begins_epoch = False
        """The next commit of this process begins an epoch, so that whoever waits for more of another history is woken."""
        self.unsettled = False
        """A commit of ours is on its way, or not, and nobody waits for it any more."""
        self.followed = False
        self._process = client.process
        self._limits = (client.address.stream_length, client.address.stream_bytes)
        self.turn = prefix + b":$turn"
        self.turns = Turns(self._ask_for_turn)
        self.began = 0.0
        """When the last transaction began, by `time.monotonic`."""
        self._listeners: list[Callable[[], None]] = []
        self._number = 0
        self._sent_at: Position | None = None
        """What was known when our last commit was sent."""
        self._was_given_up = False
        self._is_news = True
        self._asked = float("-inf")

    def domain(self, name: bytes, full_name: str) -> SharedDomain:
        """What the engine objects of one of the channel's dicts share."""
        with self.guard:
            return self.domains.setdefault(name, SharedDomain(full_name))

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener`, in any thread, when others may have committed; returns what ends that."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def notify(self) -> bool:
        """Call the listeners, if there is something that they do not know; whether there was."""
        if not self._is_news:
            return False
        self._is_news = False
        for listener in tuple(self._listeners):
            listener()
        return True

    # -- our commits -------------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the server has to be asked before something builds on what is known here."""
        return self.is_old or self.turns.waits

    @property
    def is_old(self) -> bool:
        """Whether what is known here may be older than it should be, or not be true."""
        if self.unsettled or self.behind or self.must_reload or self.position is None:
            return True
        return not self.followed and time.monotonic() - self._asked > _FRESH_SECONDS

    def begins(self) -> int:
        """The moment on which what comes now builds. Who `waits` has taken a turn and caught up before."""
        self.began = time.monotonic()
        return self.moment

    def next_name(self) -> bytes:
        """For the next commit in order; who calls this holds the lock until its outcome is settled."""
        self._number += 1
        return b"%b:%d" % (self._process, self._number)

    def request(self, after: bytes, names: Sequence[bytes], packed: bytes, origin: Origin, *, is_first: bool) -> Request:
        """The commit with the last name, after the one that is named (or ANY). `is_first`: it was not built on one of ours that is on its way."""
        self._sent_at = self.position
        known = self.position if is_first and self.position else EMPTY
        seen = (known.epoch, known.version) if known.newest else ("", "")
        epoch = self.new_epoch()
        arguments = [after, self._process, self._number, _REMEMBERED_SECONDS, *seen, int(IDLE * 1000), *self._limits]
        arguments += [epoch, int(self.begins_epoch), origin.event.encode(errors="replace"), origin.member.encode(errors="replace"), packed]
        arguments.append(int(self.client.address.replicas > 0))
        return Request(COMMIT, [self.record, self.last_commit, self.stream, self.turn, *(self.prefix + name for name in names)], arguments)

    def new_epoch(self) -> int:
        """A number by which an epoch can be called that begins now: milliseconds, and three random digits."""
        made = int(time.time() * 1000) * 1000 + secrets.randbelow(1000)
        return made if self.position is None else max(made, self.position.epoch + 1)

    def committed(self, position: Position, before: bytes | None, changes: Mapping[bytes, Fields], origin: Origin) -> None:
        """The server has applied a commit of ours, which brought the channel here. `before` is the one before it, if the server told."""
        with self.guard:
            self.unsettled = self.begins_epoch = False
            self.turns.committed()
            known = self.position
            if known is None or before == known.newest:
                self.advance(position, changes, origin, is_own=True)
                self.behind = False
            elif not self.history.has(position.version, position.newest):
                self.lose_track()

    def committed_nothing(self, newest: bytes | None) -> None:
        """A commit of ours had nothing to change; the newest is another one."""
        with self.guard:
            self.unsettled = False
            if self.position is not None and newest != self.position.newest:
                self.lose_track()

    def came_too_late(self, version: int, entries: Sequence[Any]) -> bool:
        """The server has refused a commit of ours, and told what others have committed. False if that does not go on from what is known."""
        with self.guard:
            self.unsettled = False
            is_known = self.feed(entries) and self.position is not None and self.position.version == version
            if not is_known:
                self.lose_track()
        self.notify()
        return is_known and bool(entries)

    def outcome_unknown(self) -> None:
        """Nobody waits for our last commits any more."""
        with self.guard:
            if self.position != self._sent_at:
                # It may have come in as ours already, and those who wrote it off would never hear of it.
                for domain in self.domains.values():
                    domain.forget()
            self.unsettled = self._was_given_up = True
            self.lose_track()

    def settle(self) -> None:
        """Make sure that a commit whose answer never came is applied by now or never will be, so that reading is safe."""
        if not self.unsettled:
            return
        with self.lock:
            self.next_name()
            self.client.run(VOID, [self.last_commit], [self._number, _REMEMBERED_SECONDS])
            self.unsettled = False

    # -- commits of others -------------------------------------------------------------------------------------------

    def feed(self, entries: Sequence[Any]) -> bool:
        """Take over entries of the stream; those that are known already are passed over.

        False if they do not go on from what is known here, or if the dicts have to be loaded anew all the same.
        """
        with self.guard:
            for number, parts in entries:
                try:
                    if not self._take_over(read_entry(number, parts)):
                        return False
                except ValueError as error:
                    _log.error("an entry of %s is not ours (%s); the channel is loaded anew", self.stream.decode(errors="replace"), error)
                    return False
            return not self.must_reload

    def are_news(self, entries: Sequence[Any]) -> bool:
        """Whether somebody else made one of these entries of the stream, and it is not known here."""
        after = (self.position or EMPTY).stream_id
        return any(order_of(number) > order_of(after) and not parts[1].startswith(self._process) for number, parts in entries)

    def _take_over(self, entry: Entry) -> bool:
        known, found = self.position, entry.position
        if known is None or (found[:2] > known[:2] and entry.before != known.newest):
            return False
        if found[:2] <= known[:2]:
            return True
        is_ours = found.newest.startswith(self._process)
        if entry.mended is not None:
            if not is_ours:
                self.notices.mended(read_mending(entry.mended))
            self.must_reload, self.position = True, found
            return True
        # A commit of ours that nobody waited for any more is news to those who wrote it off.
        is_own = is_ours and not self._was_given_up
        self.must_reload |= entry.changes is None
        self.advance(found, unpack(entry.changes or b""), entry.origin, is_own=is_own)
        self._is_news |= not is_own
        return True

    def lost(self) -> None:
        """The connection on which the channel was followed is gone."""
        self.behind = True

    def loaded(self, newest: bytes | None) -> None:
        """Somebody has read a whole dict, when this was the newest commit."""
        with self.guard:
            if self.position is None or (newest or b"") != self.position.newest:
                self.lose_track()

    def caught_up(self, asked: float) -> None:
        """What is known is as the server had it at that moment (of `time.monotonic`) or later."""
        self._asked = asked
        self.behind = self._was_given_up = False

    def begin_at(self, position: Position) -> None:
        """Nothing was known, and no dict loaded."""
        self.position = position
        self.moment += 1

    def replace(self, position: Position, contents: Mapping[bytes, Sequence[bytes]]) -> None:
        """The channel is here now, and the content of these dicts is known; what others hold is not."""
        self._is_news = True
        for name, domain in self.domains.items():
            if name in contents:
                domain.advance((), _readable(contents[name]))
            else:
                domain.forget()
        self.must_reload = False
        self.position = position
        self.moment += 1

    def advance(self, position: Position, changes: Mapping[bytes, Fields], origin: Origin, *, is_own: bool) -> None:
        """One commit further."""
        self.history.add(position, origin)
        for name, fields in changes.items():
            domain = self.domains.get(name)
            if domain is not None:
                domain.advance([(key_of(field), value) for field, value in fields.items()], is_own=is_own)
        # Last: who reads this position finds everything that belongs to it.
        self.position = position
        self.moment += 1

    def lose_track(self) -> None:
        """There are commits that are not known here."""
        self.behind = True
        if not self.followed:
            # Nobody else looks; so the next read of each dict has to. Two steps, as one could be taken for our own commit.
            for domain in self.domains.values():
                domain.advance(())
                domain.advance(())

    def _ask_for_turn(self, milliseconds: int) -> tuple[bool, float, int]:
        is_ours, left, others, newest = self.client.run(TAKE_TURN, [self.turn, self.record], [self._process, milliseconds])
        with self.guard:
            self.behind |= self.position is None or newest != self.position.newest
        return bool(is_ours), left / 1000, others


def _readable(flat: Sequence[bytes]) -> dict[str, Encoded]:
    """The items of a hash. A field that is no key is left out here; whoever loads the dict reports it."""
    items = {}
    for field, value in zip(flat[::2], flat[1::2], strict=True):
        with suppress(UnicodeDecodeError):
            items[key_of(field)] = value
    return items
