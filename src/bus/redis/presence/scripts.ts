/**
 * What is known of a user is one hash, and whatever becomes of it is decided by one script, so that of two instances never both
 * announce the same thing:
 *
 * - `lease <instance> <lease>`: a connection, each a field;
 * - `online`: there while the user counts as online, the grace included;
 * - `left`: when the last lease was given back, in ms; there until the user is back or offline;
 * - `seen`: when the user was last there, in ms;
 * - `by`: who brought the last transition about: it may be asked again, when the answer was lost;
 * - `name`.
 *
 * Beside it each instance has a set of the users that it may hold leases of, for whoever has to look after them when it has died, and
 * one sorted set tells when each instance was heard of.
 */
import { defineScript } from "../script.ts";

/** How long it is remembered when a user was last seen. */
export const SEEN_TTL_MS = 30 * 24 * 3_600_000;

const HELPERS = `
local function hasLease()
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 6) == 'lease ' then return true end
  end
  return false
end
local function dropLeases(beginning)
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, #beginning) == beginning then redis.call('HDEL', KEYS[1], field) end
  end
end
local function arrive(name)
  redis.call('HSET', KEYS[1], 'name', name)
  redis.call('HDEL', KEYS[1], 'left')
  redis.call('PERSIST', KEYS[1])
end
local function putOnline(by) redis.call('HSET', KEYS[1], 'online', 1, 'by', by) end
local function putOffline(by, seen)
  redis.call('HDEL', KEYS[1], 'online', 'left')
  redis.call('HSET', KEYS[1], 'by', by, 'seen', seen)
  redis.call('PEXPIRE', KEYS[1], ${SEEN_TTL_MS})
end
local function get(field) return redis.call('HGET', KEYS[1], field) end
local function milliseconds(number) return string.format('%.0f', number) end
`;

/** ARGV: lease, name. 1: was offline. */
export const ENTER = defineScript(`${HELPERS}
redis.call('HSET', KEYS[1], ARGV[1], 1)
arrive(ARGV[2])
if get('online') then return 0 end
putOnline(ARGV[1])
return 1
`);

/** ARGV: lease. 1: was the last one. */
export const LEAVE = defineScript(`${HELPERS}
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 or hasLease() then return 0 end
local now = milliseconds(nowMs())
redis.call('HSET', KEYS[1], 'left', now, 'seen', now)
return 1
`);

/** ARGV: by. 1: was online, and is not any more. */
export const SETTLE = defineScript(`${HELPERS}
if not get('online') or hasLease() then return 0 end
putOffline(ARGV[1], get('seen') or milliseconds(nowMs()))
return 1
`);

/**
 * The leases that an instance holds, and no others of it. ARGV: name, whether the others know that the user is online, its leases'
 * common beginning, leases… 1: to be announced.
 */
export const RETURN = defineScript(`${HELPERS}
local exists = redis.call('EXISTS', KEYS[1]) == 1
dropLeases(ARGV[3])
for i = 4, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], 1) end
local isMine = string.sub(get('by') or '', 1, #ARGV[3]) == ARGV[3]
arrive(ARGV[1])
local isKnown = ARGV[2] == '1'
-- Put online by one of these leases, and the answer was lost: nobody has said so yet.
if get('online') then return isMine and not isKnown and 1 or 0 end
putOnline(ARGV[4])
-- Known to be online, and forgotten by Redis: nothing has happened. Put offline by another, were it since Redis forgot: something has.
if isKnown and not exists then return 0 end
return 1
`);

/**
 * The leases that an instance does not hold any more, when it may not have been able to say so. ARGV: by, grace, how long ago the last
 * one was given back, whether the others know that the user is online, name, its leases' common beginning. -1: to be announced offline; 0: nothing to be
 * done; more: how many ms the grace lasts still.
 */
export const WITHDRAW = defineScript(`${HELPERS}
local exists = redis.call('EXISTS', KEYS[1]) == 1
dropLeases(ARGV[6])
if hasLease() then return 0 end
local now = nowMs()
local left = now - tonumber(ARGV[3])
if not get('online') then
  -- Put offline by this very attempt, and the answer was lost.
  if get('by') == ARGV[1] then return -1 end
  -- Redis has lost its memory of somebody whom the others believe to be online.
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
`);

/**
 * A user of an instance that has died. ARGV: its leases' common beginning, by, grace, when it was last heard of. A name: to be announced
 * offline; a number: how many ms the grace lasts still; 0: nothing to be done.
 */
export const BURY = defineScript(`${HELPERS}
dropLeases(ARGV[1])
if hasLease() or not get('online') then return 0 end
local now = nowMs()
local left = get('left')
if left and tonumber(left) + tonumber(ARGV[3]) > now then return math.ceil(tonumber(left) + tonumber(ARGV[3]) - now) end
putOffline(ARGV[2], left or ARGV[4])
return get('name') or ''
`);

/**
 * KEYS: when each instance was heard of, which dead ones are being looked after since when. ARGV: instance, whether it is new, after how
 * many ms without a word an instance is dead (0: do not ask), and after how many somebody who looked after one is dead too.
 * [whether the instance is registered, dead one, when it was last heard of, …]: the caller is to look after these.
 */
export const HEARTBEAT = defineScript(`
local now = nowMs()
local isRegistered = ARGV[2] == '1' or redis.call('ZSCORE', KEYS[1], ARGV[1])
if isRegistered then redis.call('ZADD', KEYS[1], now, ARGV[1]) end
local answer = {isRegistered and 1 or 0}
if ARGV[3] == '0' then return answer end
local function claim(key, olderThan)
  local found = redis.call('ZRANGEBYSCORE', key, '-inf', now - olderThan, 'WITHSCORES')
  for i = 1, #found, 2 do
    redis.call('ZREM', KEYS[1], found[i])
    redis.call('ZADD', KEYS[2], now, found[i])
    answer[#answer + 1] = found[i]
    answer[#answer + 1] = found[i + 1]
  end
end
claim(KEYS[2], tonumber(ARGV[4]))
claim(KEYS[1], tonumber(ARGV[3]))
return answer
`);

/** KEYS as of {@link HEARTBEAT}. ARGV: instance, in how many ms it counts as dead, after how many ms without a word one does. */
export const RESIGN = defineScript(`
redis.call('ZADD', KEYS[1], nowMs() + ARGV[2] - ARGV[3], ARGV[1])
return 1
`);
