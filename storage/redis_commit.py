"""Commits to one channel's dicts in Redis: one script each, applied once and whole however often it is sent."""

from __future__ import annotations

import hashlib
import threading
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from storage.codec import Encoded
from storage.errors import CommitFailed, StorageError, StorageUnavailable, VersionConflict

if TYPE_CHECKING:
    from storage.database_interface import DatabaseInterface

ANY_VERSION = -1
"""Commit whatever others have committed since."""

_MOST_ARGUMENTS = 1_000_000
"""Redis cuts the connection at 1,048,576 arguments, which would look like a server that is away."""

_REMEMBERED_SECONDS = 3600
"""How long the server keeps the number of a process's last commit; no request is under way for longer."""


class Script:
    """A Lua script and the digest by which the server knows it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class Runner(Protocol):
    """What runs scripts; raises StorageUnavailable or another StorageError."""

    def run(self, script: Script, keys: list[bytes], arguments: list[Any]) -> Any: ...


@dataclass(frozen=True)
class Committed:
    """The channel's version after a commit, and how many keys it removed."""

    version: int
    removed: int


# Redis does not roll back a script that fails halfway, so everything that can fail is checked before the first write.
# Lua can pass at most some thousand arguments to one call, hence the steps of 1000.
_COMMIT = Script("""
local version = tonumber(redis.call('GET', KEYS[1]) or 0)
local expected, number, remembered = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
if tonumber(redis.call('GET', KEYS[2]) or 0) >= number then
  return {'done', version, 1}
end
if expected >= 0 and expected ~= version then
  return {'conflict', version, 0}
end
for index = 3, #KEYS do
  local kind = redis.call('TYPE', KEYS[index]).ok
  if kind ~= 'hash' and kind ~= 'none' then
    return {'occupied', version, index}
  end
end
redis.call('SET', KEYS[2], number, 'EX', remembered)
local position, removed, sets = 4, 0, 0
local function each(command, width, key)
  local left, total = tonumber(ARGV[position]) * width, 0
  position = position + 1
  while left > 0 do
    local step = math.min(left, 1000)
    total = total + redis.call(command, key, unpack(ARGV, position, position + step - 1))
    position, left, sets = position + step, left - step, sets + width - 1
  end
  return total
end
for index = 3, #KEYS do
  each('HSET', 2, KEYS[index])
  removed = removed + each('HDEL', 1, KEYS[index])
end
if sets + removed > 0 then
  version = redis.call('INCR', KEYS[1])
end
return {'done', version, removed}
""")


class SharedDomain:
    """The lock and the version that all engine objects of one domain have in common."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._version = 0
        self._engines: weakref.WeakSet[DatabaseInterface] = weakref.WeakSet()
        self._guard = threading.Lock()

    def join(self, engine: DatabaseInterface) -> None:
        """Give the engine the shared lock and keep its version up to date."""
        engine.lock = self.lock
        with self._guard:
            engine.version = self._version
            self._engines.add(engine)

    def changed(self) -> None:
        """The content has changed, or may have. Versions are plain attributes because they are read far more often."""
        with self._guard:
            self._version += 1
            for engine in self._engines:
                engine.version = self._version


class ChannelCommits:
    """Sends this process's commits to one channel, one at a time and numbered.

    The script ignores a number that is not above the last one it saw from this process. So a commit whose answer was lost
    can be sent again, and one that is still under way when the next has arrived comes to nothing.
    """

    def __init__(self, client: Runner, prefix: bytes) -> None:
        self._client = client
        self._keys = [prefix + b":$version", prefix + b":$process:" + uuid.uuid4().hex.encode()]
        self._lock = threading.Lock()
        self._number = 0
        self._unsettled = False

    def commit(self, changes: Mapping[bytes, Mapping[bytes, Encoded | None]], expected: int = ANY_VERSION) -> Committed:
        """Set and (with None) delete fields of hashes. Raises CommitFailed or one of its kinds."""
        with self._lock:
            return self._commit(changes, expected)

    def settle(self) -> None:
        """After a commit whose answer never came: make sure that it is applied by now or never will be, so that reading is safe."""
        if self._unsettled:
            with self._lock:
                self._commit({}, ANY_VERSION)

    def _commit(self, changes: Mapping[bytes, Mapping[bytes, Encoded | None]], expected: int) -> Committed:
        self._number += 1
        arguments: list[Any] = [expected, self._number, _REMEMBERED_SECONDS]
        for fields in changes.values():
            _append(arguments, fields)
        if len(arguments) > _MOST_ARGUMENTS:
            raise CommitFailed("one commit to Redis takes at most 499,000 changes; nothing was changed, split it")
        try:
            outcome, version, detail = self._client.run(_COMMIT, [*self._keys, *changes], arguments)
        except StorageUnavailable:
            self._unsettled = True
            raise
        except StorageError as error:
            raise CommitFailed(f"{error}; nothing was changed") from error
        self._unsettled = False
        if outcome == b"conflict":
            raise VersionConflict(f"another process committed first: version {version} instead of {expected}; nothing was changed")
        if outcome == b"occupied":
            name = list(changes)[detail - 3].decode(errors="backslashreplace")
            raise CommitFailed(f"the Redis key {name} holds something that is not a dict of ours; nothing was changed")
        return Committed(version, detail)


def _append(arguments: list[Any], fields: Mapping[bytes, Encoded | None]) -> None:
    sets = [(field, value) for field, value in fields.items() if value is not None]
    deletes = [field for field, value in fields.items() if value is None]
    arguments.append(len(sets))
    for field, value in sets:
        arguments += (field, bytes(value))
    arguments.append(len(deletes))
    arguments += deletes
