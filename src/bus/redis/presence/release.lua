-- Removes the leases of a dead instance from a user.
--
-- KEYS: 1 user
-- ARGV: 1 the common beginning of the instance's leases, 2 who asks, 3 grace ms, 4 the time of the instance's last heartbeat
-- Returns the name of a user who is to be announced offline, how many ms of a grace remain, or 0 where nothing is to be done.

removeLeases(ARGV[1])
if hasLease() or not get('online') then return 0 end
local now = nowMs()
local left = get('left')
if left and tonumber(left) + tonumber(ARGV[3]) > now then return math.ceil(tonumber(left) + tonumber(ARGV[3]) - now) end
putOffline(ARGV[2], left or ARGV[4])
return get('name') or ''
