-- The head of a topic is a hash that outlives the log: `last` is the position of the last event, the log is complete after `since`,
-- `epoch` is the process of Redis that wrote both. `began` is when that process was noticed, in a Cluster on this topic.
--
-- Returns a table with these fields. `epochKey` equals `headKey` in a Cluster, which has no common clock.
local function openTopic(headKey, logKey, clockKey, epochKey, headTtlMs)
  local info = serverInfo()
  local epoch = epochOf(info)
  local head = redis.call('HMGET', headKey, 'last', 'since', 'epoch', 'began')
  local topic = { last = head[1] or '', since = head[2], epoch = epoch, isNewEpoch = head[3] ~= epoch }
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
  elseif topic.isNewEpoch then
    -- The former process may have published more than this one knows.
    topic.since = toText(following(nowMs(), 0, topic.last))
  elseif redis.call('EXISTS', logKey) == 0 and topic.last > topic.since then
    topic.since = topic.last
  end
  return topic
end

local function writeHead(headKey, topic, headTtlMs)
  redis.call('HSET', headKey, 'last', topic.last, 'since', topic.since, 'epoch', topic.epoch, 'began', topic.began)
  redis.call('PEXPIRE', headKey, headTtlMs)
end
