-- Publishes events of one topic, in one step: the log and all listeners get one order.
--
-- KEYS: 1 head, 2 log, 3 channel, 4 clock, 5 epoch record (4 and 5: the head in a Cluster), 6… for each event the key of its id, or the
--   head where the event is transient
-- ARGV: 1 id TTL ms, 2 log's maximum count, 3 log's maximum age ms, 4 head TTL ms, 5 floor: a position that the new ones are after,
--   6 '1' where channels are sharded, 7 '1' where the log is incomplete from here on backwards: events were dropped,
--   8… for each event its JSON and its original position ('' but for an event that a former process of Redis had;
--   `t` and its time where it was found elsewhere)
-- Returns for each event its position ('' where it is transient) and whether it is new (1) or a duplicate (0), in a flat list.

local headKey, logKey, channel, clockKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local idTtl, maxCount, maxAge, headTtl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local isPlain = clockKey ~= headKey

local topic = openTopic(headKey, logKey, clockKey, KEYS[5], headTtl)

local function nextPosition()
  local ms, sequence = following(nowMs(), 0, ARGV[5])
  ms, sequence = following(ms, sequence, topic.last)
  ms, sequence = following(ms, sequence, topic.since)
  if isPlain then return toText(tick(clockKey, toText(ms, sequence))) end
  return toText(ms, sequence)
end

local function streamId(position)
  local ms, sequence = toNumbers(position)
  return string.format('%.0f-%.0f', ms, sequence)
end

local function positionOf(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return toText(tonumber(ms), tonumber(sequence))
end

local function trimmedTo(id)
  local position = positionOf(id)
  if position > topic.since then topic.since = position end
end

local function trimByAge()
  local oldest = string.format('%.0f', nowMs() - maxAge)
  local last = redis.call('XREVRANGE', logKey, '(' .. oldest .. '-0', '-', 'COUNT', 1)[1]
  if not last then return end
  trimmedTo(last[1])
  redis.call('XTRIM', logKey, 'MINID', oldest)
end

local messages, answer, hasLogged, hasDuplicate = {}, {}, false, false

for index = 6, #KEYS do
  local event, original = ARGV[2 * (index - 6) + 8], ARGV[2 * (index - 6) + 9]
  local idKey = KEYS[index]
  if idKey == headKey then
    messages[#messages + 1] = '{"event":' .. event .. '}'
    answer[#answer + 1] = ''
    answer[#answer + 1] = 1
  else
    local known = redis.call('GET', idKey)
    if known then
      hasDuplicate = true
      -- The attempt that logged it was interrupted before it wrote the head.
      if known > topic.last then topic.last, hasLogged = known, true end
      answer[#answer + 1] = known
      answer[#answer + 1] = 0
    else
      local previous, position = topic.last, nextPosition()
      -- What came about since this process of Redis began may have been under way when it was found elsewhere: it is where it is
      -- published, behind what others have received already.
      local time = string.match(original, '^t(.*)$')
      if time and time >= topic.began then original = '' end
      if redis.call('XLEN', logKey) >= maxCount then trimmedTo(redis.call('XRANGE', logKey, '-', '+', 'COUNT', 1)[1][1]) end
      local origin = original == '' and '' or ',"original":"' .. original .. '"'
      if original == '' then
        redis.call('XADD', logKey, 'MAXLEN', maxCount, streamId(position), 'event', event)
      else
        redis.call('XADD', logKey, 'MAXLEN', maxCount, streamId(position), 'event', event, 'original', original)
      end
      -- Where its listeners had it: that is what duplicates and slow readers are compared with.
      local known = (original == '' or time) and position or original
      redis.call('SET', idKey, known, 'PX', idTtl)
      topic.last = position
      hasLogged = true
      messages[#messages + 1] = '{"position":"' .. position .. '","previous":"' .. previous .. '","epoch":"' .. topic.epoch .. '"' .. origin .. ',"event":' .. event .. '}'
      answer[#answer + 1] = position
      answer[#answer + 1] = 1
    end
  end
end

if ARGV[7] == '1' then
  topic.since = nextPosition()
  topic.last = topic.since
  messages[#messages + 1] = '{"last":"' .. topic.last .. '","epoch":"' .. topic.epoch .. '","isIncomplete":true}'
elseif hasDuplicate then
  -- The first attempt may have been interrupted between the log and the channel: listeners look whether they have everything.
  messages[#messages + 1] = '{"last":"' .. topic.last .. '","epoch":"' .. topic.epoch .. '"}'
end

if hasLogged or ARGV[7] == '1' then
  trimByAge()
  redis.call('PEXPIRE', logKey, maxAge)
  writeHead(headKey, topic, headTtl)
end

-- Last: what is refused here is in the log.
for _, message in ipairs(messages) do
  if ARGV[6] == '1' then publishSharded(channel, message) else redis.call('PUBLISH', channel, message) end
end

return answer
