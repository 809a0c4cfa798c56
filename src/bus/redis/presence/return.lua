-- An instance that was disconnected writes the leases that it holds, and no others of it.
--
-- KEYS: 1 user
-- ARGV: 1 name, 2 '1' where the others know that the user is online, 3 the common beginning of the instance's leases, 4 instance, 5… the
--   leases
-- Returns 1 where the user is to be announced.

local exists = redis.call('EXISTS', KEYS[1]) == 1
removeLeases(ARGV[3])
for i = 5, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], 1) end
markPresent(ARGV[1])
-- This instance put the user online and the answer was lost: nobody has announced it yet.
if get('online') then return get('untold') == ARGV[4] and 1 or 0 end
putOnline(ARGV[4])
if ARGV[2] == '1' and not exists then
  -- Redis has lost a user whom everybody believes to be online: that is no transition.
  redis.call('HDEL', KEYS[1], 'untold')
  return 0
end
return 1
