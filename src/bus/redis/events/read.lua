-- Reads a topic's log.
--
-- KEYS: 1 head, 2 log, 3 clock, 4 epoch record (3 and 4: the head in a Cluster)
-- ARGV: 1 head TTL ms, 2 the position after which to read; '' for everything
-- Returns: since when the log is complete; the last position; the epoch; a position before all that is published from now on; the
--   entries of the stream.

local headKey, logKey, clockKey = KEYS[1], KEYS[2], KEYS[3]
local topic = openTopic(headKey, logKey, clockKey, KEYS[4], tonumber(ARGV[1]))

-- So that the new epoch begins here, and not with the next reading. Where writing is refused, it does.
if topic.last ~= '' and topic.isNewEpoch then
  redis.pcall('HSET', headKey, 'since', topic.since, 'epoch', topic.epoch, 'began', topic.began)
end

local present = clockKey ~= headKey and redis.call('GET', clockKey) or toText(nowMs() - 1, 0)
if topic.last > present then present = topic.last end
if topic.since > present then present = topic.since end

local first = '-'
if ARGV[2] ~= '' then
  local ms, sequence = toNumbers(ARGV[2])
  first = string.format('(%.0f-%.0f', ms, sequence)
end
return {topic.since, topic.last, topic.epoch, present, redis.call('XRANGE', logKey, first, '+')}
