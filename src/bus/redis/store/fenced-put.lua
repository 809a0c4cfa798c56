-- Sets fenced values, each where nobody else owns it.
--
-- KEYS: for each value its key, and that of its tombstone
-- ARGV: for each value its owner, TTL ms, the value, TTL of the tombstone, ms, and the owner's turn: where the owner has written the tombstone in
--   that turn it stays as it is
-- Returns for each value 1 where it was set, else 0.

local answer = {}
for i = 1, #KEYS / 2 do
  local key, first = KEYS[2 * i - 1], 5 * i - 4
  local known = redis.call('HMGET', key, 'owner', 'turn')
  if known[1] and known[1] ~= ARGV[first] then
    answer[i] = 0
  else
    if known[1] and known[2] == ARGV[first + 4] then
      redis.call('HSET', key, 'value', ARGV[first + 2])
    else
      redis.call('HSET', key, 'owner', ARGV[first], 'value', ARGV[first + 2], 'turn', ARGV[first + 4])
      redis.call('SET', KEYS[2 * i], 1, 'PX', ARGV[first + 3])
    end
    redis.call('PEXPIRE', key, ARGV[first + 1])
    answer[i] = 1
  end
end
return answer
