-- Redis does not roll back a script that fails halfway. So everything that can fail is looked at before the first write, rights
-- included, or is the first write: a server that is full, read-only or cannot save refuses that, and nothing after it.
-- Lua can pass at most some thousand arguments to one call, hence the steps of 1000.
--
-- `prepare` looks, and returns an answer, or else nothing, the function that writes and answers, and epoch and version of what that adds to
-- the stream, if anything.
--
-- KEYS: record, last commit of the process, stream, turn, and the hashes in the order of the changes.
-- ARGV: predecessor (or ANY), process, number, seconds to remember it, epoch and version that are known (empty: none), milliseconds by
--       which a commit prolongs the turn of its process, entries and bytes of the stream, the epoch to begin with and whether to begin one
--       in any case, event, member, the changes as MessagePack (empty: none), and whether replicas have to have what is answered.
local function prepare(KEYS, ARGV)
  local after, process, number, known_epoch, known_version = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5], ARGV[6]
  local last, first = tolerant('GET', KEYS[2]), number
  if type(last) == 'string' then
    local done, at, gone, since, epoch = string.match(last, '^(%d+):(%d+):(%d+):(%d+):(%d+)$')
    done, since = tonumber(done), tonumber(since)
    if done and done >= number then
      if number < since then
        return {'late'}
      end
      if ARGV[15] == '1' then
        redis.call('SET', KEYS[2], last, 'EX', ARGV[4])
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
  local record, version = read_record(KEYS[1], names)
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
      confirm(KEYS[1], record, ARGV[15])
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
  local function write()
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
  end
  return nil, write, effective and tonumber(ARGV[11] == '1' and ARGV[10] or epoch), version + 1
end
