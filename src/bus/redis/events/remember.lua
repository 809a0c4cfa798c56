-- Notes where events were in the log of a former process of Redis, for readers of the history. None of them counts as published by it.
--
-- KEYS: 1 head, 2 a hash: where former events were, by their ids
-- ARGV: 1 TTL of the hash, ms, 2 head TTL, ms, 3 the last event whose publication took long ('' where none did), 4 how long one took at most,
--   ms, 5… for each event its id and its position

for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'past', string.format('%.0f', nowMs() + ARGV[1]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if ARGV[3] ~= '' then
  local known = redis.call('HMGET', KEYS[1], 'late', 'delay')
  if (known[1] or '') < ARGV[3] then redis.call('HSET', KEYS[1], 'late', ARGV[3]) end
  if tonumber(known[2] or '0') < tonumber(ARGV[4]) then redis.call('HSET', KEYS[1], 'delay', ARGV[4]) end
end
return 1
