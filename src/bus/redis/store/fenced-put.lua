-- Sets a fenced value, where nobody else owns it.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner, 2 TTL ms, 3 value, 4 TTL of the tombstone, ms
-- Returns 1 where it was set.

local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
return 1
