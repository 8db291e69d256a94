-- KEYS: turn, and record. ARGV: process, and for how many milliseconds it wants the turn. Answers whether it has it now, milliseconds until that
-- is over or until it is worth asking again, how many others wait, and the newest commit.
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
