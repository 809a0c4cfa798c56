-- Writes a fenced value again that Redis has lost, where nobody has taken or put one since, and none of a later owner was written again.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner, 2 when it took the value: greater for later owners, 3 TTL ms, 4 value, 5 TTL of the tombstone, ms
-- Returns 1 where it was set.

local held = readFenced(KEYS[1])
if held.owner and held.owner ~= ARGV[1] and (held.taken == '' or held.taken >= ARGV[2]) then return 0 end
writeFenced(KEYS[1], ARGV[1], ARGV[2], ARGV[4], ARGV[3])
redis.call('SET', KEYS[2], 1, 'PX', ARGV[5])
return 1
