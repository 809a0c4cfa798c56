-- Takes over a fenced value: from now on it belongs to the new owner, whether or not there is a value.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner, 2 TTL ms, 3 TTL of the tombstone, ms, 4 the value where there is none and none has expired, or empty, 5… the processes of
-- Redis that have everything that others had before them
-- Returns whether there was a value that has expired (1), and the value if there is one. In another process of Redis nothing is taken over:
-- -1 and its id.

local epoch = unknownEpoch(5)
if epoch then return {-1, epoch} end
local expired = redis.call('EXISTS', KEYS[2])
local found = readFenced(KEYS[1]).value
local value = found
if value == '' and expired == 0 then value = ARGV[4] end
writeFenced(KEYS[1], ARGV[1], '', value, ARGV[2])
-- Until the new owner puts a value, this is what is lost when the key expires.
if value ~= '' then redis.call('SET', KEYS[2], 1, 'PX', ARGV[3]) end
return {expired, found ~= '' and found}
