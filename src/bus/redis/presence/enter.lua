-- A connection of a user opens.
--
-- KEYS: 1 user
-- ARGV: 1 lease, 2 name, 3 instance
-- Returns 1 where the user was offline.

redis.call('HSET', KEYS[1], ARGV[1], 1)
markPresent(ARGV[2])
if get('online') then return 0 end
putOnline(ARGV[3])
return 1
