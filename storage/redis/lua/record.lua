-- `names` are the dicts whose counts are wanted; they follow from place 6 on. A record that is no hash, or not whole, is no record.
local function read_record(key, names)
  local record = tolerant('HMGET', key, 'version', 'epoch', 'newest', 'written', 'trimmed', unpack(names))
  if record.err then
    return record, nil
  end
  local version = string.match(record[1] or '', '^%d+$') and string.match(record[2] or '', '^%d+$') and record[3] and tonumber(record[1])
  return record, version
end
-- A write that changes nothing, after which WAIT on this connection waits for all that others have written as well.
local function confirm(key, record, is_wanted)
  if is_wanted == '1' and not record.err and record[1] then
    redis.call('HSET', key, 'version', record[1])
  end
end
local function is_absent(record)
  return not (record.err or record[1] or record[2] or record[3])
end
