-- Does nothing but name each command. KEYS: any of the channel, by which a cluster finds the node. ARGV: the commands.
local refused = {}
for _, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  local is_known, is_allowed = pcall(redis.acl_check_cmd, unpack(command))
  if not is_known or not is_allowed then
    refused[#refused + 1] = command[1]
  end
end
return refused
