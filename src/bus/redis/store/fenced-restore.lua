-- Writes a fenced value again that Redis has lost, where nobody has taken or put one since, and none of a later owner was written again.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner, 2 when it took the value: greater for later owners, 3 TTL ms, 4 value, 5 TTL of the tombstone, ms
-- Returns 1 where it was set.

local owner, takenAt = redis.call('HGET', KEYS[1], 'owner'), redis.call('HGET', KEYS[1], 'taken')
if owner and owner ~= ARGV[1] and (not takenAt or takenAt >= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'taken', ARGV[2], 'value', ARGV[4], 'turn', '')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], 1, 'PX', ARGV[5])
return 1
