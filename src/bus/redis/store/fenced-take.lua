-- Takes over a fenced value: from now on it belongs to the new owner, whether or not there is a value.
--
-- KEYS: 1 value (a hash of `owner`, `value`, `taken` where it was written again after Redis had lost it, and `turn`, the owner's when it wrote
-- the tombstone), 2 tombstone
-- ARGV: 1 owner, 2 TTL ms, 3 TTL of the tombstone, ms, 4 the value where there is none and none has expired, or empty, 5… the processes of
-- Redis that have everything that others had before them
-- Returns whether there was a value that has expired (1), and the value if there is one. In another process of Redis nothing is taken over:
-- -1 and its id.

local epoch = unknownEpoch(5)
if epoch then return {-1, epoch} end
local expired = redis.call('EXISTS', KEYS[2])
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('HDEL', KEYS[1], 'taken', 'turn')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local value = redis.call('HGET', KEYS[1], 'value')
local isInitial = not value and expired == 0 and ARGV[4] ~= ''
if isInitial then redis.call('HSET', KEYS[1], 'value', ARGV[4]) end
-- Until the new owner puts a value, this is what is lost when the key expires.
if value or isInitial then redis.call('SET', KEYS[2], 1, 'PX', ARGV[3]) end
return {expired, value}
