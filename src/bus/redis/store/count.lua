-- Counts within a window. Does without the prelude, since every operation of a client may run it.
--
-- KEYS: 1 counter
-- ARGV: 1 how much to add, 2 the window, ms
-- Returns the count, and how many ms of the window remain.

local consumed = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {consumed, left}
