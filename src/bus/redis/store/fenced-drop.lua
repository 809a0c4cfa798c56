-- Removes a fenced value and its tombstone, where the owner owns it.
--
-- KEYS: 1 value, 2 tombstone
-- ARGV: 1 owner

if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
