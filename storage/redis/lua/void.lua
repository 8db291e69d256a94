-- KEYS: last commit of the process. ARGV: number, and seconds to remember it. Commits with this number or a smaller one that are still on
-- their way come to nothing.
local last = tolerant('GET', KEYS[1])
local done = type(last) == 'string' and tonumber(string.match(last, '^(%d+):'))
if not done or done < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1] .. ':0:0:' .. ARGV[1] .. ':0', 'EX', ARGV[2])
end
return 1
