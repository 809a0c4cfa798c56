-- The grace of a user has passed.
--
-- KEYS: 1 user
-- ARGV: 1 instance
-- Returns 1 where the user was online and is offline now, -1 where Redis has lost the user.

if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if not get('online') or hasLease() then return 0 end
putOffline(ARGV[1], get('seen') or milliseconds(nowMs()))
return 1
