-- Removes the leases of a dead instance from a user.
--
-- KEYS: 1 user
-- ARGV: 1 the common beginning of the instance's leases, 2 the instance that asks, 3 grace ms, 4 the time of the dead one's last heartbeat,
--   5 the dead instance
-- Returns the name of a user who is to be announced, how many ms of a grace remain, or 0 where nothing is to be done.

removeLeases(ARGV[1])
if hasLease() or not get('online') then
  if get('untold') ~= ARGV[5] then return 0 end
  -- It died before it had announced what it had brought about.
  redis.call('HSET', KEYS[1], 'untold', ARGV[2])
  return get('name') or ''
end
local now = nowMs()
local left = get('left')
if left and tonumber(left) + tonumber(ARGV[3]) > now then return math.ceil(tonumber(left) + tonumber(ARGV[3]) - now) end
putOffline(ARGV[2], left or ARGV[4])
return get('name') or ''
