-- Notes what instances write again after Redis has lost its memory, and tells who has not finished.
--
-- KEYS: 1 a hash: for each process of Redis and instance, `done`, or a number that the instance changes while it writes; for each process
--   of Redis, `over` where an instance waits for no others any more
-- ARGV: 1 the process of Redis, 2 TTL ms, 3 instance, 4 its own state: '' where it has nothing to write, 5 '1' where it waits for no others
--   any more if all have finished, 6 how many follow of which it is not known whether they have begun, 7… these; then those that are not
--   waited for any more
-- Returns whether another instance waited for no others any more before; name and number of each instance that has not finished, in a flat
-- list.

local epoch, own, expected = ARGV[1], ARGV[4], tonumber(ARGV[6])
local function field(instance) return epoch .. ' ' .. instance end

local wasOver = redis.call('HGET', KEYS[1], field('over')) and 1 or 0
for i = 7, 6 + expected do
  if not redis.call('HGET', KEYS[1], field(ARGV[i])) then redis.call('HSET', KEYS[1], field(ARGV[i]), '0') end
end
for i = 7 + expected, #ARGV do redis.call('HSET', KEYS[1], field(ARGV[i]), 'done') end
if own ~= '' then redis.call('HSET', KEYS[1], field(ARGV[3]), own) end
if own ~= '' or #ARGV > 6 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end

local answer, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local known, instance = string.match(all[i], '^(%S+) (%S+)$')
  if known == epoch and all[i + 1] ~= 'done' then
    answer[#answer + 1] = instance
    answer[#answer + 1] = all[i + 1]
  end
end
-- Written as that of an instance, so that earlier versions wait for nobody of that name.
if own ~= '' and ARGV[5] == '1' and #answer == 0 then redis.call('HSET', KEYS[1], field('over'), 'done') end
return {wasOver, answer}
