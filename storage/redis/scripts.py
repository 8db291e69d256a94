"""The Lua scripts that run inside the server, each as one step that nobody sees half done.

What a channel has in the server, beside its hashes:

- the record (`$version`), a hash: `version` (how many commits there were), `epoch`, `newest` (the newest commit), `written` and `trimmed`
  (bytes that ever went into the stream, and out of it), and under the name of each dict how many keys it has.
- the stream (`$stream`): each commit under `<epoch>-<version>`, with `i` (which commit it is), `b` (the one before it), `s` (bytes written
  up to here), `o` and `m` (the event and the member behind it), and `c` (the changes, unless they are too large for the stream). One with
  `r` tells that the channel was mended, and of what.
- the last commit of each process (`$process:<id>`): number, version, removed keys, first number of the unbroken row, epoch.
- the turn (`$turn`), as MessagePack: the process that has it, when it is over if nothing is committed and when in any case (milliseconds
  since 1970), and who waits for one, with the moments at which they asked last. It is there only while turns are taken.

A commit is named `<process>:<number>`. So a history that does not go on from what somebody knows shows, whatever its numbers say.
An epoch begins with the first commit, after a loss, and with a mending. It is larger than those before it, so that whoever waits for
what comes after an older one is woken.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

ANY = b"*"
"""In the place of a predecessor: commit whatever others have committed since."""

NOTHING_KNOWN = b"?"
"""In the place of the newest commit: nothing of the channel was seen yet."""


class Script:
    """A Lua script and the digest by which the server knows it."""

    def __init__(self, *parts: str) -> None:
        self.text = "".join(parts)
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


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


# An answer that may be of the wrong kind, because somebody else wrote there. What else goes wrong, such as a right that is missing, ends the
# script.
_TOLERANT = """
local function tolerant(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'WRONGTYPE') then
    error(answer)
  end
  return answer
end
"""

# Who has the turn, until when, until when at the latest, and a list of who waits.
_TURN = """
local function read_turn(key)
  local kept = tolerant('GET', key)
  local is_one, turn = pcall(cmsgpack.unpack, type(kept) == 'string' and kept or '')
  if is_one and type(turn) == 'table' and #turn == 4 then
    return unpack(turn)
  end
  return '', 0, 0, {}
end
local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

# `names` are the dicts whose counts are wanted; they follow from place 6 on. A record that is no hash, or not whole, is no record.
_RECORD = """
local function read_record(names)
  local record = tolerant('HMGET', KEYS[1], 'version', 'epoch', 'newest', 'written', 'trimmed', unpack(names))
  if record.err then
    return record, nil
  end
  local version = string.match(record[1] or '', '^%d+$') and string.match(record[2] or '', '^%d+$') and record[3] and tonumber(record[1])
  return record, version
end
local function is_absent(record)
  return not (record.err or record[1] or record[2] or record[3])
end
"""

# Redis does not roll back a script that fails halfway. So everything that can fail is looked at before the first write, rights
# included, or is the first write: a server that is full, read-only or cannot save refuses that, and nothing after it.
# Lua can pass at most some thousand arguments to one call, hence the steps of 1000.
#
# KEYS: record, last commit of the process, stream, turn, and the hashes in the order of the changes.
# ARGV: predecessor (or ANY), process, number, seconds to remember it, epoch and version that are known (empty: none), milliseconds by
#       which a commit prolongs the turn of its process, entries and bytes of the stream, the epoch to begin with and whether to begin one
#       in any case, event, member, and the changes as MessagePack (empty: none).
COMMIT = Script(
    _TOLERANT,
    _RECORD,
    _TURN,
    """
local after, process, number, known_epoch, known_version = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5], ARGV[6]
local last, first = tolerant('GET', KEYS[2]), number
if type(last) == 'string' then
  local done, at, gone, since, epoch = string.match(last, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
  done, since = tonumber(done), tonumber(since)
  if done and done >= number then
    if number < since then
      return {'late'}
    end
    return {'done', tonumber(at) - (done - number), done == number and tonumber(gone) or 0, epoch, false, false}
  elseif done and after == string.format('%s:%.0f', process, done) then
    first = since
  end
end
local changes = ARGV[14] == '' and {} or cmsgpack.unpack(ARGV[14])
local names = {}
for index = 1, #changes do
  names[index] = changes[index][1]
end
local record, version = read_record(names)
local epoch, newest = record[2], record[3]
if is_absent(record) and known_epoch == '' and redis.call('EXISTS', KEYS[3]) == 0 then
  version, epoch, newest = 0, ARGV[10], ''
elseif not version then
  return {'broken'}
end
local has_turn = after ~= '*' and redis.call('EXISTS', KEYS[4]) == 1
local holder, now, ends, waiting
if after ~= '*' then
  if after ~= newest then
    local since = known_epoch ~= '' and '(' .. known_epoch .. '-' .. known_version
    return {'conflict', version, since and redis.call('XRANGE', KEYS[3], since, '+', 'COUNT', 500) or {}}
  end
  if has_turn then
    now = milliseconds()
    local until_when
    holder, until_when, ends, waiting = read_turn(KEYS[4])
    if holder ~= process and until_when > now then
      return {'turn'}
    end
    has_turn = holder == process and until_when > now
  end
end
local effective = after ~= '*' and #changes > 0
for index = 1, #changes do
  local key, sets, deletes = KEYS[index + 4], changes[index][2], changes[index][3]
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then
    return {'occupied', index}
  end
  if #sets > 0 then
    effective = true
    if not redis.acl_check_cmd('HSET', key, '', '') then
      return {'forbidden', 'HSET', key}
    end
  elseif not effective and kind == 'hash' then
    for _, field in ipairs(deletes) do
      effective = effective or redis.call('HEXISTS', key, field) == 1
    end
  end
  if #deletes > 0 and not redis.acl_check_cmd('HDEL', key, '') then
    return {'forbidden', 'HDEL', key}
  end
  record[index + 5] = tonumber(record[index + 5]) or redis.call('HLEN', key)
end
local removed, before, limit = 0, newest, tonumber(ARGV[9])
local size = #ARGV[14] + 100
local written = (tonumber(record[4]) or 0) + math.min(size, limit)
local is_full = written - (tonumber(record[5]) or 0) > limit
if not redis.acl_check_cmd('SET', KEYS[2], '') then
  return {'forbidden', 'SET', KEYS[2]}
elseif has_turn and not redis.acl_check_cmd('SET', KEYS[4], '') then
  return {'forbidden', 'SET', KEYS[4]}
elseif effective and not redis.acl_check_cmd('HSET', KEYS[1], '', '') then
  return {'forbidden', 'HSET', KEYS[1]}
elseif effective and is_full and not redis.acl_check_cmd('XRANGE', KEYS[3], '-', '+') then
  return {'forbidden', 'XRANGE', KEYS[3]}
elseif effective and is_full and not redis.acl_check_cmd('XTRIM', KEYS[3], 'MINID', '0') then
  return {'forbidden', 'XTRIM', KEYS[3]}
end
if effective then
  newest, version = string.format('%s:%.0f', process, number), version + 1
  if ARGV[11] == '1' then
    epoch = ARGV[10]
  end
  local entry = {'i', newest, 'b', before, 's', string.format('%.0f', written)}
  for name, value in pairs({o = ARGV[12], m = ARGV[13], c = size <= limit and ARGV[14] or ''}) do
    if value ~= '' then
      entry[#entry + 1], entry[#entry + 2] = name, value
    end
  end
  local added = redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], string.format('%s-%.0f', epoch, version), unpack(entry))
  if type(added) == 'table' and added.err then
    -- A stream of another kind, or one that has this number already: the record is not its own.
    return (string.find(added.err, 'smaller') or string.find(added.err, 'WRONGTYPE')) and {'broken'} or added
  end
  local function each(command, key, items)
    local total = 0
    for start = 1, #items, 1000 do
      total = total + redis.call(command, key, unpack(items, start, math.min(start + 999, #items)))
    end
    return total
  end
  local told = {'version', string.format('%.0f', version), 'epoch', epoch, 'newest', newest, 'written', string.format('%.0f', written)}
  for index = 1, #changes do
    local key = KEYS[index + 4]
    local more = each('HSET', key, changes[index][2])
    local less = each('HDEL', key, changes[index][3])
    removed = removed + less
    told[#told + 1], told[#told + 2] = names[index], string.format('%.0f', record[index + 5] + more - less)
  end
  if is_full then
    local from, trimmed, keep = '-', nil, nil
    repeat
      local page = redis.call('XRANGE', KEYS[3], from, '+', 'COUNT', 10)
      for _, found in ipairs(page) do
        local sum = tonumber(found[2][6]) or 0
        -- Down to a half, so that this is done once in a while and not with each commit.
        if not keep and (sum > written - limit / 2 or sum == written) then
          keep = found[1]
        elseif not keep then
          trimmed = sum
        end
        from = '(' .. found[1]
      end
    until keep or #page == 0
    if keep and trimmed then
      redis.call('XTRIM', KEYS[3], 'MINID', keep)
      told[#told + 1], told[#told + 2] = 'trimmed', string.format('%.0f', trimmed)
    end
  end
  redis.call('HSET', KEYS[1], unpack(told))
end
if has_turn then
  local prolonged = math.min(ends, now + tonumber(ARGV[7]))
  redis.call('SET', KEYS[4], cmsgpack.pack({process, prolonged, ends, waiting}), 'PX', 5000)
end
redis.call('SET', KEYS[2], string.format('%.0f:%.0f:%.0f:%.0f:%s', number, version, removed, first, epoch), 'EX', ARGV[4])
return {'done', version, removed, epoch, before, newest}
""",
)

# KEYS: last commit of the process. ARGV: number, and seconds to remember it. Commits with this number or a smaller one that are still on
# their way come to nothing.
VOID = Script(
    _TOLERANT,
    """
local last = tolerant('GET', KEYS[1])
local done = type(last) == 'string' and tonumber(string.match(last, '^(%d+):'))
if not done or done < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1] .. ':0:0:' .. ARGV[1] .. ':0', 'EX', ARGV[2])
end
return 1
""",
)

# KEYS: record, stream, last commit of the process, and hashes to read.
# ARGV: epoch, version and newest commit that are known (or NOTHING_KNOWN), whether to read the hashes in any case, and the names of the
#       dicts of the hashes.
# The answer says how the channel's history goes on from what is known: `first` (nothing was known), `chained` (with the commits that came
# since), `gap` (these are not in the stream any more), `fork` (it is another history). Then come version, epoch and newest commit; and
# `commits`, nothing and these, or `contents`, the last commit of the process and the whole content of the hashes.
CATCH_UP = Script(
    _TOLERANT,
    _RECORD,
    """
local known_epoch, known_version, known = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local names = {unpack(ARGV, 5)}
local record, version = read_record(names)
local epoch, newest = record[2], record[3]
if is_absent(record) and redis.call('EXISTS', KEYS[2]) == 0 then
  version, epoch, newest = 0, '0', ''
  for index = 1, known_version > 0 and #names or 0 do
    if redis.call('EXISTS', KEYS[index + 3]) == 1 then
      return {'broken'}
    end
  end
elseif not version then
  return {'broken'}
end
for index = 1, #names do
  local counted = tonumber(record[index + 5])
  if counted and counted > redis.call('HLEN', KEYS[index + 3]) then
    return {'broken'}
  end
end
local relation, entries = 'first', {}
if known ~= '?' then
  relation = 'chained'
  if newest ~= known then
    entries = tolerant('XRANGE', KEYS[2], '(' .. known_epoch .. '-' .. ARGV[2], '+')
    if entries.err then
      return {'broken'}
    elseif not entries[1] or entries[1][2][4] ~= known then
      local next_one = string.format('%s-%.0f', known_epoch, known_version + 1)
      relation = epoch == known_epoch and version > known_version and not (entries[1] and entries[1][1] == next_one) and 'gap' or 'fork'
    end
  end
end
if relation == 'first' or relation == 'chained' and (ARGV[4] == '0' or #entries > 0) then
  return {relation, version, epoch, newest, 'commits', '', entries}
end
local contents, last = {}, tolerant('GET', KEYS[3])
last = type(last) == 'string' and last or ''
for index = 1, #names do
  contents[index] = redis.call('HGETALL', KEYS[index + 3])
end
return {relation, version, epoch, newest, 'contents', last, contents}
""",
)

# KEYS: record, stream, and hashes. ARGV: the epoch to begin, the name of this mending, what is known here of the channel (version and newest
# commit, for when nothing in the server tells it), and the names of the dicts of the hashes.
# Makes the record anew from the stream, takes the counts as they are, and tells in the stream what it did, so that all load anew.
MEND = Script(
    _TOLERANT,
    _RECORD,
    """
local names = {unpack(ARGV, 5)}
local found, record_kind, stream_kind = {}, redis.call('TYPE', KEYS[1]).ok, redis.call('TYPE', KEYS[2]).ok
for _, command in ipairs({{'DEL', KEYS[1]}, {'HSET', KEYS[1], '', ''}, {'XADD', KEYS[2], '*', '', ''}}) do
  if not redis.acl_check_cmd(unpack(command)) then
    return {'forbidden', command[1], command[2]}
  end
end
local is_empty = record_kind == 'none' and stream_kind == 'none'
for index = 1, #names do
  is_empty = is_empty and redis.call('EXISTS', KEYS[index + 2]) == 0
end
if is_empty then
  return {'well'}
end
local top = stream_kind == 'stream' and redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local top_epoch, top_version = string.match(top and top[1] or '0-0', '^(%d+)-(%d+)$')
local record, version = read_record(names)
local epoch, newest = version and record[2] or top_epoch, record[3]
if record_kind ~= 'hash' and record_kind ~= 'none' or not record.err and not version and not is_absent(record) then
  local text = record_kind == 'string' and redis.call('GET', KEYS[1]) or record[1] or record_kind
  found[#found + 1] = {'record', string.sub(text, 1, 100)}
elseif not version then
  found[#found + 1] = {'record gone', ''}
elseif tonumber(top_epoch) > tonumber(epoch) or tonumber(top_version) > version then
  found[#found + 1] = {'record old', string.format('%.0f', version)}
  version = nil
end
if stream_kind ~= 'stream' and stream_kind ~= 'none' then
  found[#found + 1] = {'stream', stream_kind}
end
for index = 1, #names do
  local counted, there = tonumber(record[index + 5]), redis.call('HLEN', KEYS[index + 2])
  if counted and counted > there then
    found[#found + 1] = {'keys', names[index], string.format('%.0f', counted), string.format('%.0f', there)}
  end
end
if #found == 0 then
  return {'well'}
end
if not version and top then
  version, newest = tonumber(top_version), top[2][2]
elseif not version then
  version, newest = tonumber(ARGV[3]), ARGV[4]
end
epoch = string.format('%.0f', math.max(tonumber(ARGV[1]), tonumber(epoch) + 1, tonumber(top_epoch) + 1))
local told = cmsgpack.pack(found)
local written = string.format('%.0f', (tonumber(not record.err and record[4] or top and top[2][6] or 0) or 0) + 100)
for key, kind in pairs({[KEYS[1]] = record_kind ~= 'hash' and record_kind, [KEYS[2]] = stream_kind ~= 'stream' and stream_kind}) do
  if kind and kind ~= 'none' then
    redis.call('DEL', key)
  end
end
redis.call('XADD', KEYS[2], string.format('%s-%.0f', epoch, version + 1), 'i', ARGV[2], 'b', newest, 's', written, 'r', told)
local made = {'version', string.format('%.0f', version + 1), 'epoch', epoch, 'newest', ARGV[2], 'written', written}
for index = 1, #names do
  made[#made + 1], made[#made + 2] = names[index], redis.call('HLEN', KEYS[index + 2])
end
redis.call('HSET', KEYS[1], unpack(made))
return {'mended', version + 1, epoch, told}
""",
)

# KEYS: turn, and record. ARGV: process, and for how many milliseconds it wants the turn. Answers whether it has it now, milliseconds until that
# is over or until it is worth asking again, how many others wait, and the newest commit.
TAKE_TURN = Script(
    _TOLERANT,
    _TURN,
    """
local process, now = ARGV[1], milliseconds()
local newest = tolerant('HGET', KEYS[2], 'newest')
newest = type(newest) == 'string' and newest or ''
local holder, until_when, ends, waiting = read_turn(KEYS[1])
if holder == process and until_when > now then
  return {1, until_when - now, #waiting, newest}
end
local queue, place = {}, nil
for _, other in ipairs(waiting) do
  if other[1] == process then
    queue[#queue + 1], place = {process, now}, #queue + 1
  elseif now - other[2] < 300 then
    queue[#queue + 1] = other
  end
end
if until_when <= now and (place == 1 or #queue == 0) then
  if place then
    table.remove(queue, 1)
  end
  holder, until_when, ends = process, now + ARGV[2], now + ARGV[2]
elseif not place then
  queue[#queue + 1] = {process, now}
end
redis.call('SET', KEYS[1], cmsgpack.pack({holder, until_when, ends, queue}), 'PX', 5000 + ARGV[2])
if holder == process and until_when > now then
  return {1, until_when - now, #queue, newest}
end
return {0, math.max(until_when - now, 1), #queue, newest}
""",
)
