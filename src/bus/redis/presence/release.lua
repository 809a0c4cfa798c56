-- Removes the leases of a dead instance from a user.
--
-- KEYS: 1 user
-- ARGV: 1 the common beginning of the instance's leases, 2 who asks, 3 grace ms, 4 the time of the instance's last heartbeat, 5 the common
--   beginning of what ended stays on it
-- Returns the name of a user who is to be announced, how many ms of a grace remain, or 0 where nothing is to be done.

-- It may have died before it had announced what it had just brought about. So long before its last heartbeat, in ms, that may be.
local UNANNOUNCED_MS = 10000

local function isUnannounced()
  local by, at = get('by') or '', tonumber(get('at') or 0)
  local isIts = string.sub(by, 1, #ARGV[1]) == ARGV[1] or string.sub(by, 1, #ARGV[5]) == ARGV[5]
  return isIts and at > tonumber(ARGV[4]) - UNANNOUNCED_MS
end

removeLeases(ARGV[1])
if hasLease() or not get('online') then return isUnannounced() and (get('name') or '') or 0 end
local now = nowMs()
local left = get('left')
if left and tonumber(left) + tonumber(ARGV[3]) > now then return math.ceil(tonumber(left) + tonumber(ARGV[3]) - now) end
putOffline(ARGV[2], left or ARGV[4])
return get('name') or ''
