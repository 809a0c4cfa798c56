-- Sets fenced values, each where nobody else owns it.
--
-- KEYS: for each value its key, and that of its tombstone
-- ARGV: for each value its owner, TTL ms, the value, TTL of the tombstone, ms
-- Returns for each value 1 where it was set, else 0.

local answer = {}
for i = 1, #KEYS / 2 do
  local key, tombstone, first = KEYS[2 * i - 1], KEYS[2 * i], 4 * i - 3
  local owner = redis.call('HGET', key, 'owner')
  if owner and owner ~= ARGV[first] then
    answer[i] = 0
  else
    redis.call('HSET', key, 'owner', ARGV[first], 'value', ARGV[first + 2])
    redis.call('PEXPIRE', key, ARGV[first + 1])
    redis.call('SET', tombstone, 1, 'PX', ARGV[first + 3])
    answer[i] = 1
  end
end
return answer
