-- Who has the turn, until when, until when at the latest, and a list of who waits.
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
