-- An instance that was disconnected removes the leases that it does not hold any more.
--
-- KEYS: 1 user
-- ARGV: 1 instance, 2 grace ms, 3 how many ms ago the last lease was removed, 4 '1' where the others know that the user is online, 5 name,
--   6 the common beginning of the instance's leases
-- Returns -1 where the user's state is to be announced, 0 where nothing is to be done, else how many ms of the grace remain.

local exists = redis.call('EXISTS', KEYS[1]) == 1
removeLeases(ARGV[6])
-- With another instance by now. That the user came was not announced where this instance brought it about and the answer was lost.
if hasLease() then return get('online') and get('untold') == ARGV[1] and -1 or 0 end
local now = nowMs()
local left = now - tonumber(ARGV[3])
if not get('online') then
  -- This instance put the user offline and the answer was lost.
  if get('untold') == ARGV[1] then return -1 end
  -- Redis has lost a user whom the others believe to be online.
  if exists or ARGV[4] ~= '1' then return 0 end
  redis.call('HSET', KEYS[1], 'name', ARGV[5])
else
  left = tonumber(get('left') or left)
end
redis.call('HSET', KEYS[1], 'online', 1, 'left', milliseconds(left))
local remaining = left + tonumber(ARGV[2]) - now
if remaining > 0 then return math.ceil(remaining) end
putOffline(ARGV[1], milliseconds(left))
return -1
