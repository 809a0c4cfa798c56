-- An instance stops, and counts as dead from a moment on.
--
-- KEYS: 1 the time of each instance's last heartbeat, 2 the ids of those that live
-- ARGV: 1 instance, 2 in how many ms it counts as dead, 3 after how many ms without a heartbeat an instance does,
--   4 the instance's id

redis.call('ZADD', KEYS[1], nowMs() + ARGV[2] - ARGV[3], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[4])
return 1
