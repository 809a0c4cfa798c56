-- Reads a topic's log.
--
-- KEYS: 1 head, 2 log, 3 its compacted part, 4 clock, 5 epoch record (4 and 5: the head in a Cluster)
-- ARGV: 1 head TTL ms, 2 the position after which to read; '' for everything, 3 the part of the log: 'kept', 'compacted', or 'both'
-- Returns: since when the log is complete; the last position; the epoch; a position before all that is published from now on; the
--   entries of the stream; since when the compacted part is complete; its entries; the last event whose publication took long, and how long one took at most.

local headKey, logKey, compactedKey, clockKey, part = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[3]
local topic = openTopic(headKey, logKey, compactedKey, clockKey, KEYS[5], tonumber(ARGV[1]))

-- So that the new epoch begins here, and not with the next reading. Where writing is refused, it does.
if topic.last ~= '' and topic.isNewEpoch then
  redis.pcall('HSET', headKey, 'since', topic.since, 'epoch', topic.epoch, 'began', topic.began, 'compactedSince', topic.compactedSince)
end

local present = topic.clock or toText(nowMs() - 1, 0)
if topic.last > present then present = topic.last end
if topic.since > present then present = topic.since end

local first = '-'
if ARGV[2] ~= '' then
  local ms, sequence = toNumbers(ARGV[2])
  first = string.format('(%.0f-%.0f', ms, sequence)
end
local kept = part == 'compacted' and {} or redis.call('XRANGE', logKey, first, '+')
local compacted = part == 'kept' and {} or redis.call('XRANGE', compactedKey, first, '+')
return {topic.since, topic.last, topic.epoch, present, kept, topic.compactedSince, compacted, topic.late, topic.delay}
