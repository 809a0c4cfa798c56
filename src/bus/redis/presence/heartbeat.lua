-- An instance lives, and asks which others do not.
--
-- KEYS: 1 the time of each instance's last heartbeat, 2 dead instances that are being released, by when that began, 3 the ids of those
--   that live
-- ARGV: 1 instance, 2 '1' where it is new, 3 after how many ms without a heartbeat an instance is dead (0: do not ask), 4 after how many
--   ms one that releases another is dead too, 5 the instance's id
-- Returns whether the instance is registered; the ids of the instances that live; name and last heartbeat of each instance that the caller
-- has to release.

local now = nowMs()
local isRegistered = ARGV[2] == '1' or redis.call('ZSCORE', KEYS[1], ARGV[1])
if isRegistered then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
local dead = {}
local function claim(key, olderThan)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', now - olderThan, 'WITHSCORES')
  for i = 1, #found, 2 do
    redis.call('ZREM', KEYS[1], found[i])
    redis.call('ZADD', KEYS[2], now, found[i])
    redis.call('ZREM', KEYS[3], string.match(found[i], '^[^.]*'))
    dead[#dead + 1] = found[i]
    dead[#dead + 1] = found[i + 1]
  end
end
if ARGV[3] ~= '0' then
  claim(KEYS[2], tonumber(ARGV[4]))
  claim(KEYS[1], tonumber(ARGV[3]))
end
-- Another name of the instance may have been claimed.
if isRegistered then redis.call('ZADD', KEYS[3], now, ARGV[5]) end
return {isRegistered and 1 or 0, redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '+inf'), dead}
