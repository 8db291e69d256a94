-- KEYS: record, stream, and hashes. ARGV: the epoch to begin, the name of this mending, what is known here of the channel (version and newest
-- commit, for when nothing in the server tells it), and the names of the dicts of the hashes.
-- Makes the record anew from the stream, takes the counts as they are, and tells in the stream what it did, so that all load anew.
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
local record, version = read_record(KEYS[1], names)
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
