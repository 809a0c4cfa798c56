-- A transition of a user was announced.
--
-- KEYS: 1 user
-- ARGV: 1 '1' where the user was announced to be online

if (get('online') and '1' or '0') == ARGV[1] then redis.call('HDEL', KEYS[1], 'untold') end
return 1
