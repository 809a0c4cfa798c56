-- The head of a topic is a hash that outlives the log: `last` is the position of the last event, the log is complete after `since`,
-- `epoch` is the process of Redis that wrote both. `began` is when that process was noticed, in a Cluster on this topic.
-- The log has two parts, with positions in common: the events that stay until they are too old, and the compacted ones, of which newer events of
-- the same key take the place. `lastKept` and `lastCompacted` are the positions of the last event of each; the compacted part is complete after
-- `compactedSince`, but for what was replaced.
-- `late` is the position of the last event that was published long after it had come about, `delay` how long that took at most, ms.
--
-- Returns a table with these fields. `epochKey` equals `headKey` in a Cluster, which has no common clock.
local function openTopic(headKey, logKey, compactedKey, clockKey, epochKey, headTtlMs)
  local info = serverInfo()
  local epoch = epochOf(info)
  local head = redis.call('HMGET', headKey, 'last', 'since', 'epoch', 'began', 'lastKept', 'lastCompacted', 'compactedSince',
    'late', 'delay')
  local topic = { last = head[1] or '', since = head[2], epoch = epoch, isNewEpoch = head[3] ~= epoch }
  topic.lastKept, topic.lastCompacted, topic.compactedSince = head[5] or topic.last, head[6] or '', head[7] or topic.since
  topic.late, topic.delay = head[8] or '', head[9] or '0'
  if epochKey ~= headKey then
    local known, began = string.match(redis.call('GET', epochKey) or '', '^(%x+) ([%d-]+)$')
    topic.began = known == epoch and began
  else
    topic.began = not topic.isNewEpoch and head[4]
  end
  topic.began = topic.began or toText(nowMs(), 0)
  if not head[1] then
    -- Nothing was published for as long as a head lives, or since this process of Redis began.
    local started = epochKey ~= headKey and logSince(epochKey, clockKey, info) or startedAt(info)
    topic.since = toText(nowMs() - headTtlMs, 0)
    if started > topic.since then topic.since = started end
    topic.compactedSince = topic.since
  elseif topic.isNewEpoch then
    -- The former process may have published more than this one knows.
    topic.since = toText(following(nowMs(), 0, topic.last))
    topic.compactedSince = topic.since
  else
    if topic.lastKept > topic.since and redis.call('EXISTS', logKey) == 0 then topic.since = topic.lastKept end
    if topic.lastCompacted > topic.compactedSince and redis.call('EXISTS', compactedKey) == 0 then
      topic.compactedSince = topic.lastCompacted
    end
  end
  return topic
end

local function writeHead(headKey, topic, headTtlMs)
  redis.call('HSET', headKey, 'last', topic.last, 'since', topic.since, 'epoch', topic.epoch, 'began', topic.began,
    'lastKept', topic.lastKept, 'lastCompacted', topic.lastCompacted, 'compactedSince', topic.compactedSince,
    'late', topic.late, 'delay', topic.delay)
  redis.call('PEXPIRE', headKey, headTtlMs)
end
