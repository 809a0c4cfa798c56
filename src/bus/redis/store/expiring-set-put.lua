-- Adds a member to an expiring set, or prolongs it. A member is a field of the set's hash: when it expires, by the clock of Redis, a
-- space, and its value. The hash lives as long as the member that expires last.
--
-- KEYS: 1 set
-- ARGV: 1 member, 2 TTL ms, 3 value

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', nowMs() + ARGV[2]) .. ' ' .. ARGV[3])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
