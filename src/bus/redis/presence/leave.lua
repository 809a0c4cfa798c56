-- A connection of a user has closed.
--
-- KEYS: 1 user
-- ARGV: 1 lease
-- Returns 1 where it was the last one, -1 where Redis does not know it: it has lost its memory, or the lease was ended by others.

if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return -1 end
if hasLease() then return 0 end
local now = milliseconds(nowMs())
redis.call('HSET', KEYS[1], 'left', now, 'seen', now)
return 1
