-- Publishes a tick through a plain server, and moves the clock of all topics: a receiver of the tick has received everything that
-- was published before.
--
-- KEYS: 1 clock, 2 epoch record
-- ARGV: 1 channel, 2 floor: a position that the clock does not fall behind
-- Returns the process of Redis, 0 (not sharded), and why it refuses to write ('' where it does not).

local clockKey, epochKey = KEYS[1], KEYS[2]
local info = serverInfo()
local id = epochOf(info)
local position, refusal = presentAfter(ARGV[2], redis.call('GET', clockKey)), ''
local answer = redis.pcall('SET', clockKey, position)
if answer.err then
  -- Nothing can be published to a log either, so that the clock does not advance.
  refusal = answer.err
  position = redis.call('GET', clockKey) or toText(nowMs() - 1, 0)
elseif string.match(redis.call('GET', epochKey) or '', '^(%x+) ') ~= id then
  redis.call('SET', epochKey, id .. ' ' .. position)
end
redis.call('PUBLISH', ARGV[1], position)
return {id, 0, refusal}
