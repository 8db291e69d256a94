"""One channel in Redis as this process knows it: its version, what others commit, and our own commits.

A process numbers its commits to a channel, and the script ignores a number that is not above the last one it saw. So a
commit whose answer was lost can be sent again and is applied once, and one that was given up comes to nothing if it arrives
after all.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from storage.database_interface import Finding
from storage.encoding.codec import Encoded
from storage.redis.domain import SharedDomain
from storage.redis.keys import key_of
from storage.redis.scripts import CATCH_UP, COMMIT, Request, Script
from storage.redis.wire import Fields, unpack

_log = logging.getLogger(__name__)

ANY_VERSION = -1
"""Commit whatever others have committed since."""

_RESERVE_AFTER = 3
"""Conflicts in a row after which a process asks the others to let it have a turn."""

_SHORTEST_TURN, _LONGEST_TURN = 0.5, 10.0
_NEVER = -1

_REMEMBERED_SECONDS = 3600
"""How long the server keeps the number of a process's last commit; no request is under way for longer."""

STREAM_LENGTH = 1000
"""Commits that stay in a channel's stream, at least. Who falls further behind loads the dicts anew."""


class ScriptRunner(Protocol):
    """What runs scripts; raises StorageUnavailable or another StorageError."""

    process: bytes

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any: ...


class RedisChannel:
    """Thread-safe. `lock` is held while a commit is on its way, so that the numbers arrive in order."""

    def __init__(self, client: ScriptRunner, prefix: bytes, stream_length: int = STREAM_LENGTH) -> None:
        self.lock = threading.Lock()
        self.prefix = prefix
        self.stream = prefix + b":$stream"
        self.version = _NEVER
        """The newest commit that is known here."""
        self.behind = False
        """There may be commits that are not known here."""
        self.unsettled = False
        """A commit of ours is on its way, or not, and nobody waits for it any more."""
        self.followed = False
        self.conflicts = 0
        """How often others committed first."""
        self._client = client
        self._process = client.process
        self._stream_length = stream_length
        self._bookkeeping = [prefix + b":$version", prefix + b":$process:" + self._process, self.stream, prefix + b":$turn"]
        self._guard = threading.RLock()
        self._domains: dict[bytes, SharedDomain] = {}
        self._listeners: list[Callable[[], None]] = []
        self._number = 0
        self._sent_at = _NEVER
        """The version that was known when our last commit was sent."""
        self._was_given_up = False
        self._is_news = True
        self._lost_in_a_row = 0
        self._began = 0.0

    def domain(self, name: bytes) -> SharedDomain:
        """What the engine objects of one of the channel's dicts share."""
        with self._guard:
            return self._domains.setdefault(name, SharedDomain())

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

    def begin(self) -> int:
        """The version on which what comes now builds; asks the server if there is doubt. Raises StorageUnavailable."""
        if self.waits:
            self.catch_up()
        self._began = time.monotonic()
        return self.version

    @property
    def waits(self) -> bool:
        """Whether `begin` has to ask the server."""
        return self.unsettled or self.behind or self.version == _NEVER

    def next_request(self, expected: int, names: Sequence[bytes], packed: bytes) -> Request:
        """The next commit in order; who calls this holds the lock until the outcome is settled."""
        self._number += 1
        self._sent_at = self.version
        turn = self._wanted_turn() if expected != ANY_VERSION else 0
        arguments = [expected, self._number, _REMEMBERED_SECONDS, self._process, self._stream_length, turn, packed]
        return Request(COMMIT, [*self._bookkeeping, *(self.prefix + name for name in names)], arguments)

    def committed(self, version: int, changes: Mapping[bytes, Fields]) -> None:
        """The server has applied a commit of ours, which made this version."""
        with self._guard:
            self.unsettled = False
            self._lost_in_a_row = 0
            if self.version == _NEVER or (version == self.version + 1 and not self.behind):
                self._advance(version, changes, is_own=True)
            elif version > self.version:
                self._lose_track()

    def came_too_late(self, version: int, entries: Sequence[Any]) -> None:
        """The server has refused a commit of ours, and told what others have committed."""
        with self._guard:
            self.unsettled = False
            self.conflicts += 1
            self._lost_in_a_row += 1
            if not self.feed(entries) or self.version != version:
                self._lose_track()
        self.notify()

    def outcome_unknown(self) -> None:
        """Nobody waits for our last commit any more."""
        with self._guard:
            if self.version > self._sent_at:
                # It may have come in as ours already, and those who wrote it off would never hear of it.
                for domain in self._domains.values():
                    domain.forget()
            self.unsettled = self._was_given_up = True
            self._lose_track()

    def settle(self) -> None:
        """Make sure that a commit whose answer never came is applied by now or never will be, so that reading is safe."""
        if not self.unsettled:
            return
        with self.lock:
            request = self.next_request(ANY_VERSION, (), b"")
            self._client.run(request.script, request.keys, request.arguments)
            self.unsettled = False

    # -- commits of others -------------------------------------------------------------------------------------------

    def feed(self, entries: Sequence[Any]) -> bool:
        """Take over entries of the stream; those that are known already are passed over. False if some are missing before them."""
        with self._guard:
            for number, parts in entries:
                version = int(number.partition(b"-")[0])
                if version <= self.version:
                    continue
                if version != self.version + 1:
                    return False
                try:
                    entry = dict(zip(parts[::2], parts[1::2], strict=True))
                    # A commit of ours that nobody waited for any more is news to those who wrote it off.
                    is_own = entry[b"p"] == self._process and not self._was_given_up
                    self._advance(version, unpack(entry[b"c"]), is_own=is_own)
                    self._is_news |= not is_own
                except (KeyError, ValueError) as error:
                    _log.error("an entry of %s is not ours (%s); the channel is loaded anew", self.stream.decode(errors="replace"), error)
                    return False
        return True

    def catch_up(self) -> None:
        """Ask the server what is new. Raises StorageUnavailable."""
        self.settle()
        if not self._ask(reload=False):
            self._ask(reload=True)
        self.notify()

    def lost(self) -> None:
        """The connection on which the channel was followed is gone."""
        self.behind = True

    def loaded(self, version: int) -> None:
        """Somebody has read a whole dict, when the channel had this version."""
        with self._guard:
            if self.version == _NEVER:
                self.version = version
            elif version != self.version:
                self._lose_track()

    # ----------------------------------------------------------------------------------------------------------------

    def _ask(self, *, reload: bool) -> bool:
        with self._guard:
            known = self.version
            wanted = [] if known == _NEVER else [name for name, domain in self._domains.items() if domain.wanted]
        keys = [self._bookkeeping[0], self.stream, *(self.prefix + name for name in wanted)]
        kind, version, answer = self._client.run(CATCH_UP, keys, [known, int(reload or known == _NEVER)])
        with self._guard:
            if kind == b"commits":
                if not self.feed(answer):
                    return False
            elif version < known or version >= self.version:
                self._replace(version, dict(zip(wanted, answer, strict=True)))
                if version < known:
                    self._report_loss(known, version)
            self.behind = self._was_given_up = False
            return True

    def _replace(self, version: int, contents: Mapping[bytes, Sequence[bytes]]) -> None:
        first = self.version == _NEVER
        self._is_news = True
        for name, domain in self._domains.items():
            if name in contents:
                domain.advance((), _readable(contents[name]))
            elif not first:
                domain.forget()
        self.version = version

    def _advance(self, version: int, changes: Mapping[bytes, Fields], *, is_own: bool) -> None:
        for name, fields in changes.items():
            domain = self._domains.get(name)
            if domain is not None:
                domain.advance([(key_of(field), value) for field, value in fields.items()], is_own=is_own)
        # Last: who reads this version finds everything that belongs to it.
        self.version = version

    def _lose_track(self) -> None:
        self.behind = True
        if not self.followed:
            # Nobody else looks; so the next read of each dict has to. Two steps, as one could be taken for our own commit.
            for domain in self._domains.values():
                domain.advance(())
                domain.advance(())

    def _wanted_turn(self) -> int:
        """Milliseconds for which the others should leave the channel to us if this commit comes too late; 0 for not at all."""
        if self._lost_in_a_row < _RESERVE_AFTER:
            return 0
        return int(1000 * min(max(_SHORTEST_TURN, 4 * (time.monotonic() - self._began)), _LONGEST_TURN))

    def _report_loss(self, known: int, version: int) -> None:
        where = f"Redis key {self._bookkeeping[0].decode(errors='backslashreplace')}"
        reason = (
            f"the server went back from version {known} to {version}: up to {known - version} acknowledged commits of this channel are lost, "
            "as after the promotion of a replica that had not got them; what is there now was loaded anew"
        )
        _log.error("%s: %s", where, reason)
        for domain in self._domains.values():
            domain.tell(Finding("lost", "", None, where, reason))


def _readable(flat: Sequence[bytes]) -> dict[str, Encoded]:
    """The items of a hash. A field that is no key is left out here; whoever loads the dict reports it."""
    items = {}
    for field, value in zip(flat[::2], flat[1::2], strict=True):
        with suppress(UnicodeDecodeError):
            items[key_of(field)] = value
    return items
