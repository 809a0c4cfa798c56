-- The values of an expiring set, without those that have expired.
--
-- KEYS: 1 set

local now = nowMs()
local values = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local expires, value = string.match(all[i + 1], '^(%d+) (.*)$')
  if tonumber(expires) > now then values[#values + 1] = value else redis.call('HDEL', KEYS[1], all[i]) end
end
return values
