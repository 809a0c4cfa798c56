-- Sets fenced values, each where nobody else owns it. Does without the prelude, since each confirmation of a client runs it.
--
-- KEYS: for each value its key, and that of its tombstone
-- ARGV: for each value its text, whose turn is that of now (`fenced.lua`); how many bytes of it are before the value, and how many are the
--   owner's; TTL ms; TTL of the tombstone, ms: where the tombstone was written in that turn it stays as it is
-- Returns for each value 1 where it was set, else 0.

local answer = {}
for i = 1, #KEYS / 2 do
  local key, first = KEYS[2 * i - 1], 5 * i - 4
  local text, start = ARGV[first], ARGV[first + 1]
  local held = redis.call('GET', key)
  answer[i] = 1
  if held and string.sub(held, 1, start) == string.sub(text, 1, start) then
    redis.call('SET', key, text, 'PX', ARGV[first + 3])
  else
    local owner = string.sub(text, 1, ARGV[first + 2]) .. '\0'
    if held and string.sub(held, 1, #owner) ~= owner then
      answer[i] = 0
    else
      local taken = held and string.match(held, '^%Z*', #owner + 1) or ''
      redis.call('SET', key, owner .. taken .. string.sub(text, #owner + 1), 'PX', ARGV[first + 3])
      redis.call('SET', KEYS[2 * i], 1, 'PX', ARGV[first + 4])
    end
  end
end
return answer
