-- KEYS: record, stream, last commit of the process, and hashes to read.
-- ARGV: epoch, version and newest commit that are known (or NOTHING_KNOWN), whether to read the hashes in any case, whether replicas have
--       to have what is answered, and the names of the dicts of the hashes.
-- The answer says how the channel's history goes on from what is known: `first` (nothing was known), `chained` (with the commits that came
-- since), `gap` (these are not in the stream any more), `fork` (it is another history). Then come version, epoch and newest commit; and
-- `commits`, nothing and these, or `contents`, the last commit of the process and the whole content of the hashes.
local known_epoch, known_version, known = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local names = {unpack(ARGV, 6)}
local record, version = read_record(KEYS[1], names)
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
if relation ~= 'chained' or #entries > 0 then
  confirm(KEYS[1], record, ARGV[5])
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
