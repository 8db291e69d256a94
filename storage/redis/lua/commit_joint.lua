-- Commits to several channels as one: all of them, or the first that cannot be made says why, and the others are only 'ready'.
--
-- KEYS: those of each commit, one after the other. ARGV: how many commits there are, and for each the number of its keys, the number of its
-- arguments, and these.
local function slice(list, first, count)
  local part = {}
  for index = 1, count do
    part[index] = list[first + index - 1]
  end
  return part
end
-- The first write of a commit tells whether its stream takes it. With several commits that is too late for all but the first of them.
local function takes(key, added_epoch, added_version)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then
    return true
  end
  local newest = kind == 'stream' and redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if not newest then
    return kind == 'stream'
  end
  local epoch, version = string.match(newest[1], '^(%d+)-(%d+)$')
  epoch, version = tonumber(epoch), tonumber(version)
  return epoch < added_epoch or (epoch == added_epoch and version < added_version)
end
local answers, writes, place, first = {}, {}, 2, 1
for part = 1, tonumber(ARGV[1]) do
  local keys = slice(KEYS, first, tonumber(ARGV[place]))
  local arguments = slice(ARGV, place + 2, tonumber(ARGV[place + 1]))
  first, place = first + #keys, place + 2 + #arguments
  local answer, write, epoch, version = prepare(keys, arguments)
  if write and epoch and not redis.acl_check_cmd('XADD', keys[3], '*', '', '') then
    answer, write = {'forbidden', 'XADD', keys[3]}, nil
  elseif write and epoch and not takes(keys[3], epoch, version) then
    answer, write = {'broken'}, nil
  end
  answers[part], writes[part] = answer or {'ready'}, write or false
end
for part = 1, #answers do
  local outcome = answers[part][1]
  if outcome ~= 'ready' and outcome ~= 'done' then
    return answers
  end
end
for part = 1, #answers do
  if writes[part] then
    answers[part] = writes[part]()
  end
end
return answers
