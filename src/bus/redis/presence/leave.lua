-- A connection of a user has closed.
--
-- KEYS: 1 user
-- ARGV: 1 lease
-- Returns 1 where it was the last one.

if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 or hasLease() then return 0 end
local now = milliseconds(nowMs())
redis.call('HSET', KEYS[1], 'left', now, 'seen', now)
return 1
