-- An answer that may be of the wrong kind, because somebody else wrote there. What else goes wrong, such as a right that is missing, ends the
-- script.
local function tolerant(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err and not string.find(answer.err, 'WRONGTYPE') then
    error(answer)
  end
  return answer
end
