"""The Lua scripts that run inside the server, each as one step that nobody sees half done."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any


class Script:
    """A Lua script and the digest by which the server knows it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Request:
    """A script with its keys and arguments."""

    script: Script
    keys: list[bytes]
    arguments: list[Any]

    def by_digest(self) -> list[Any]:
        return ["EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments]

    def in_full(self) -> list[Any]:
        """For a server that does not know the script yet."""
        return ["EVAL", self.script.text, len(self.keys), *self.keys, *self.arguments]


# Redis does not roll back a script that fails halfway, so everything that can fail is checked before the first write, or
# is the first write: the stream refuses a number that it has had already.
# Lua can pass at most some thousand arguments to one call, hence the steps of 1000.
#
# KEYS: version, last number of the process, stream, turn, and the hashes in the order of the changes.
# ARGV: expected version (-1: any), number, seconds to remember it, process, length of the stream, milliseconds to reserve
#       the next turn if this commit comes too late (0: no), and the changes as MessagePack (empty: none).
COMMIT = Script("""
local version = tonumber(redis.call('GET', KEYS[1]) or 0)
local expected, number = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = redis.call('GET', KEYS[2])
if last then
  local done, at, gone = string.match(last, '(%d+):(%d+):(%d+)')
  if tonumber(done) == number then
    return {'done', tonumber(at), tonumber(gone)}
  elseif tonumber(done) > number then
    return {'late', version, 0}
  end
end
if expected >= 0 then
  local turn = redis.call('GET', KEYS[4])
  if turn and turn ~= ARGV[4] then
    return {'wait', version, redis.call('PTTL', KEYS[4])}
  end
  if expected ~= version then
    if ARGV[6] ~= '0' then
      redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[6])
    end
    return {'conflict', version, redis.call('XRANGE', KEYS[3], '(' .. ARGV[1], '+', 'COUNT', 500)}
  end
  if turn then
    redis.call('DEL', KEYS[4])
  end
end
local changes = ARGV[7] == '' and {} or cmsgpack.unpack(ARGV[7])
local effective = false
for index = 1, #changes do
  local key = KEYS[index + 4]
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    return {'occupied', version, index}
  end
  if #changes[index][2] > 0 then
    effective = true
  elseif not effective and kind == 'hash' then
    for _, field in ipairs(changes[index][3]) do
      effective = effective or redis.call('HEXISTS', key, field) == 1
    end
  end
end
if effective then
  version = version + 1
  local added = redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], string.format('%.0f-0', version), 'p', ARGV[4], 'c', ARGV[7])
  if type(added) == 'table' and added.err then
    return added
  end
  redis.call('SET', KEYS[1], string.format('%.0f', version))
end
local removed = 0
local function each(command, key, items)
  local total = 0
  for first = 1, #items, 1000 do
    total = total + redis.call(command, key, unpack(items, first, math.min(first + 999, #items)))
  end
  return total
end
for index = 1, effective and #changes or 0 do
  each('HSET', KEYS[index + 4], changes[index][2])
  removed = removed + each('HDEL', KEYS[index + 4], changes[index][3])
end
redis.call('SET', KEYS[2], string.format('%.0f:%.0f:%.0f', number, version, removed), 'EX', ARGV[3])
return {'done', version, removed}
""")

# KEYS: version, stream, and hashes to read. ARGV: the version that is known here, and whether to read the hashes in any case.
# The answer has either the commits that came since, or the whole content of the hashes.
CATCH_UP = Script("""
local version = tonumber(redis.call('GET', KEYS[1]) or 0)
local known = tonumber(ARGV[1])
if ARGV[2] == '0' and known <= version then
  local first = redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', 1)
  if known == version or (#first > 0 and first[1][1] == string.format('%.0f-0', known + 1)) then
    return {'commits', version, redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+')}
  end
end
local content = {}
for index = 3, #KEYS do
  content[index - 2] = redis.call('HGETALL', KEYS[index])
end
return {'content', version, content}
""")
