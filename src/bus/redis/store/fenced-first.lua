-- Sets a fenced value where nobody owns the key, and none has expired.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner, 2 TTL ms, 3 the value, 4 TTL of the tombstone, ms, 5… the processes of Redis that have everything that others had before them
-- Returns whether it was set (1). In another process of Redis nothing is known of the key: -1 and its id.

local epoch = unknownEpoch(5)
if epoch then return {-1, epoch} end
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return {0} end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'value', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], 1, 'PX', ARGV[4])
return {1}
