-- What the scripts of presence share. What is known of a user is one hash, and each change of it is one script, so that two instances
-- never announce the same transition:
--
-- - `lease <instance> <lease>`: a connection, each a field;
-- - `online`: there while the user counts as online, the grace included;
-- - `left`: when the last lease was removed, in ms; there until the user is back or offline;
-- - `seen`: when the user was last there, in ms;
-- - `untold`: the instance that brought the last transition about, until it is announced: the answer may have been lost, or the instance
--   may have died before;
-- - `name`.
--
-- Beside it each instance has a set of the users of which it may hold leases, for the instance that cleans up after it, and one sorted
-- set has the time of each instance's last heartbeat.

-- How long it is remembered when a user was last seen: 30 days.
local SEEN_TTL_MS = 2592000000

local function milliseconds(number) return string.format('%.0f', number) end
local function hasLease()
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 6) == 'lease ' then return true end
  end
  return false
end
local function removeLeases(beginning)
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, #beginning) == beginning then redis.call('HDEL', KEYS[1], field) end
  end
end
local function markPresent(name)
  redis.call('HSET', KEYS[1], 'name', name)
  redis.call('HDEL', KEYS[1], 'left')
  redis.call('PERSIST', KEYS[1])
end
local function putOnline(instance) redis.call('HSET', KEYS[1], 'online', 1, 'untold', instance) end
local function putOffline(instance, seen)
  redis.call('HDEL', KEYS[1], 'online', 'left')
  redis.call('HSET', KEYS[1], 'untold', instance, 'seen', seen)
  redis.call('PEXPIRE', KEYS[1], SEEN_TTL_MS)
end
local function get(field) return redis.call('HGET', KEYS[1], field) end
