-- Counts within a window. Does without the prelude, since every operation of a client runs it.
--
-- KEYS: 1 counter
-- ARGV: 1 how much to add, 2 the window, ms, 3 the limit
-- Returns the count, and how many ms of the window remain; below the limit, where nobody waits for it, how long a window is.

local consumed = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = tonumber(ARGV[2])
if consumed == tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif consumed >= tonumber(ARGV[3]) then
  left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left = tonumber(ARGV[2])
  end
end
return {consumed, left}
