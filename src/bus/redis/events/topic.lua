-- The head of a topic is a hash that outlives the log: `last` is the position of the last event, the log is complete after `since`,
-- `epoch` is the process of Redis that wrote both. `began` is when that process was noticed, in a Cluster on this topic.
-- The log has two parts, with positions in common: the events that stay until they are too old, and the compacted ones, of which newer events of
-- the same key take the place. `lastKept` and `lastCompacted` are the positions of the last event of each; the compacted part is complete after
-- `compactedSince`, but for what was replaced.
-- `late` is the position of the last event that was published long after it had come about, `delay` how long that took at most, ms. `past`: until
-- then, ms since the epoch, it is known where events were in the logs of former processes of Redis.
local HEAD_FIELDS = { 'last', 'since', 'epoch', 'began', 'lastKept', 'lastCompacted', 'compactedSince', 'late', 'delay', 'past' }

-- Returns a table with these fields, `count`, how many events the part has in which they stay, `head`, the fields as they are in
-- Redis, and `clock`, the position of the clock of a plain server.
-- `epochKey` equals `headKey` in a Cluster, which has no common clock.
local function openTopic(headKey, logKey, compactedKey, clockKey, epochKey, headTtlMs)
  local head = redis.call('HMGET', headKey, unpack(HEAD_FIELDS))
  local topic = { last = head[1] or '', since = head[2], head = head }
  local isPlain = epochKey ~= headKey
  topic.count = redis.call('XLEN', logKey)
  topic.lastKept, topic.lastCompacted, topic.compactedSince = head[5] or topic.last, head[6] or '', head[7] or topic.since
  topic.late, topic.delay, topic.past = head[8] or '', head[9] or '0', head[10]
  if isPlain then
    topic.epoch, topic.began, topic.clock = plainEpoch(epochKey, clockKey)
  else
    topic.epoch = epochOf(serverInfo())
    topic.began = topic.epoch == head[3] and head[4] or nowPosition()
  end
  topic.isNewEpoch = head[3] ~= topic.epoch
  if not head[1] then
    -- Nothing was published for as long as a head lives, or since this process of Redis began.
    local started = isPlain and topic.began or startedAt(serverInfo())
    topic.since = toText(nowMs() - headTtlMs, 0)
    if started > topic.since then topic.since = started end
    topic.compactedSince = topic.since
  elseif topic.isNewEpoch then
    -- The former process may have published more than this one knows.
    topic.since = presentAfter(topic.last)
    topic.compactedSince = topic.since
  else
    if topic.lastKept > topic.since and topic.count == 0 then topic.since = topic.lastKept end
    if topic.lastCompacted > topic.compactedSince and redis.call('EXISTS', compactedKey) == 0 then
      topic.compactedSince = topic.lastCompacted
    end
  end
  return topic
end

-- `headTtlMs`: nil where its time need not be prolonged.
local function writeHead(headKey, topic, headTtlMs)
  local changed = {}
  for i, field in ipairs(HEAD_FIELDS) do
    if topic[field] ~= topic.head[i] then
      changed[#changed + 1] = field
      changed[#changed + 1] = topic[field]
    end
  end
  if #changed > 0 then redis.call('HSET', headKey, unpack(changed)) end
  if headTtlMs then redis.call('PEXPIRE', headKey, headTtlMs) end
end
