-- Publishes events of one topic, in one step: the log and all listeners get one order.
--
-- KEYS: 1 head, 2 log, 3 channel, 4 clock, 5 epoch record (4 and 5: the head in a Cluster), 6 the log's compacted part, 7 its index: for each
--   compaction key the entries that it has, 8 where events were in the logs of former processes of Redis, 9… for each event the key of its id, or the head where the event is transient
-- ARGV: 1 id TTL ms, 2 maximum count of each part of the log, 3 log's maximum age ms, 4 head TTL ms, 5 floor: a position that the new ones are
--   after, 6 '1' where channels are sharded, 7 '1' where the log is incomplete from here on backwards: events were dropped,
--   8 id TTL ms of compacted events, 9 a delay that is noted, ms, 10 how many bytes of an id's key are before the id,
--   11 '1' where the events have waited for Redis, or are published again, 12… for each event its JSON; its original position ('' but for an event that a former process of Redis had;
--   `t` and its time where it was found elsewhere); its compaction key, '' where it is not compacted; how many events of that key stay; when it came
--   about, ms since the epoch, '' where it does not say
-- Returns for each event its position ('' where it is transient) and whether it is new (1) or a duplicate (0), in a flat list.

local headKey, logKey, channel, clockKey, compactedKey, indexKey, pastKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[6], KEYS[7], KEYS[8]
local idTtl, maxCount, maxAge, headTtl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local isPlain = clockKey ~= headKey

local topic = openTopic(headKey, logKey, compactedKey, clockKey, KEYS[5], headTtl)

local isFirstCompacted = false

-- How often what is too old is dropped, and how much longer keys live than what they have: not every publication has to prolong them.
local TURN_MS = 10000
local function turnOf(position) return string.sub(position, 1, 11) end

-- All topics of a plain server share a clock, which advances with each position.
local function nextPosition()
  local position = presentAfter(ARGV[5], topic.clock, topic.last, topic.since)
  if isPlain then
    redis.call('SET', clockKey, position)
    topic.clock = position
  end
  return position
end

-- The same without leading zeros.
local function streamId(position)
  local ms, sequence = string.match(position, '^0*(%d+)-0*(%d+)$')
  return ms .. '-' .. sequence
end

local function positionOf(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return toText(tonumber(ms), tonumber(sequence))
end

local function trimmedTo(id)
  local position = positionOf(id)
  if position > topic.since then topic.since = position end
end

-- What has waited for Redis comes all at once, while listeners are on their way back: for so long, ms, it pushes nothing out of the log, and nothing
-- pushes it out, up to that count.
local BACKLOG_MS, MAX_BACKLOG = 30000, 20000

-- Drops what is too much with one more event. Returns how many events stay.
local function makeRoom()
  local excess = topic.count + 1 - maxCount
  if excess <= 0 then return topic.count end
  local isBacklog = (excess > 1 or ARGV[11] == '1') and topic.count < MAX_BACKLOG
  local count = topic.count
  -- More than one, so that the log gets shorter again.
  for _, entry in ipairs(redis.call('XRANGE', logKey, '-', '+', 'COUNT', math.min(excess, 3))) do
    if isBacklog and tonumber(string.match(entry[1], '^%d+')) > nowMs() - BACKLOG_MS then break end
    trimmedTo(entry[1])
    count = count - 1
  end
  return count
end

local function append(position, event, original)
  topic.count = makeRoom() + 1
  if original == '' then
    redis.call('XADD', logKey, 'MAXLEN', topic.count, streamId(position), 'event', event)
  else
    redis.call('XADD', logKey, 'MAXLEN', topic.count, streamId(position), 'event', event, 'original', original)
  end
  topic.lastKept = position
end

-- The ids of the entries that a compaction key has, oldest first.
local function entriesOf(key)
  local ids = {}
  for id in string.gmatch(redis.call('HGET', indexKey, key) or '', '%S+') do ids[#ids + 1] = id end
  return ids
end

local function index(key, ids)
  if #ids == 0 then redis.call('HDEL', indexKey, key) else redis.call('HSET', indexKey, key, table.concat(ids, ' ')) end
end

-- Drops entries of the compacted part that nothing has replaced.
local function dropCompacted(entries)
  for _, entry in ipairs(entries) do
    local id, key = entry[1], entry[2][6]
    redis.call('XDEL', compactedKey, id)
    local ids = {}
    for _, known in ipairs(entriesOf(key)) do if known ~= id then ids[#ids + 1] = known end end
    index(key, ids)
    local position = positionOf(id)
    if position > topic.compactedSince then topic.compactedSince = position end
  end
end

local function appendCompacted(position, event, original, key, keeps)
  local ids = entriesOf(key)
  while #ids >= keeps do redis.call('XDEL', compactedKey, table.remove(ids, 1)) end
  ids[#ids + 1] = streamId(position)
  index(key, ids)
  local count = redis.call('XLEN', compactedKey)
  if count == 0 then isFirstCompacted = true end
  if count >= maxCount then dropCompacted(redis.call('XRANGE', compactedKey, '-', '+', 'COUNT', 1)) end
  redis.call('XADD', compactedKey, ids[#ids], 'event', event, 'original', original, 'key', key)
  topic.lastCompacted = position
end

-- Notes how long an event took until it was published first: readers of the history, which tells when it came about, look so far back.
local function noteDelay(position, published, cameAbout)
  local delay = cameAbout and toNumbers(published) - cameAbout or 0
  if delay < tonumber(ARGV[9]) then return end
  if topic.late < toText(nowMs() - idTtl, 0) then topic.delay = '0' end
  topic.late = position
  if delay > tonumber(topic.delay) then topic.delay = string.format('%.0f', delay) end
end

-- The position of an entry that has replaced an event of a former process of Redis already.
local function replacementOf(original, key, keeps)
  if key == '' or keeps > 1 or not string.match(original, '^%d') then return nil end
  local ids = entriesOf(key)
  local newest = ids[#ids]
  local entry = newest and redis.call('XRANGE', compactedKey, newest, newest)[1]
  if not entry then return nil end
  local order = entry[2][4] ~= '' and entry[2][4] or positionOf(newest)
  return order > original and positionOf(newest) or nil
end

local function trimByAge()
  local oldest = string.format('%.0f', nowMs() - maxAge)
  if topic.lastCompacted ~= '' then dropCompacted(redis.call('XRANGE', compactedKey, '-', '(' .. oldest .. '-0')) end
  -- Where nothing is that old, a search from the end would go through all of the stream's last node.
  if not redis.call('XRANGE', logKey, '-', '(' .. oldest .. '-0', 'COUNT', 1)[1] then return end
  local last = redis.call('XREVRANGE', logKey, '(' .. oldest .. '-0', '-', 'COUNT', 1)[1]
  trimmedTo(last[1])
  redis.call('XTRIM', logKey, 'MINID', oldest)
end

local messages, answer, hasLogged, hasDuplicate, hasCompacted = {}, {}, false, false, false
local opened, isFirstKept = topic.last, topic.count == 0
local hasPast = topic.past and tonumber(topic.past) > nowMs()

for number = 9, #KEYS do
  local first = 5 * (number - 9) + 12
  local event, original, key, keeps = ARGV[first], ARGV[first + 1], ARGV[first + 2], tonumber(ARGV[first + 3])
  local idKey = KEYS[number]
  if idKey == headKey then
    messages[#messages + 1] = '{"event":' .. event .. '}'
    answer[#answer + 1] = ''
    answer[#answer + 1] = 1
  else
    local known = redis.call('GET', idKey)
    local time = string.match(original, '^t(.*)$')
    -- Where a former process of Redis had it, there it is put again.
    local past = not known and hasPast and redis.call('HGET', pastKey, string.sub(idKey, tonumber(ARGV[10]) + 1))
    if past and (time or original == '') then original, time = past, nil end
    known = known or replacementOf(original, key, keeps)
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
      if time and time >= topic.began then original = '' end
      local origin = original == '' and '' or ',"original":"' .. original .. '"'
      if key == '' then
        append(position, event, original)
      else
        appendCompacted(position, event, original, key, keeps)
        hasCompacted = true
      end
      -- Where its listeners had it: that is what duplicates and slow readers are compared with.
      local known = (original == '' or time) and position or original
      redis.call('SET', idKey, known, 'PX', key == '' and idTtl or tonumber(ARGV[8]))
      if not time then noteDelay(position, known, tonumber(ARGV[first + 4])) end
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
  topic.last, topic.compactedSince = topic.since, topic.since
  messages[#messages + 1] = '{"last":"' .. topic.last .. '","epoch":"' .. topic.epoch .. '","isIncomplete":true}'
elseif hasDuplicate then
  -- The first attempt may have been interrupted between the log and the channel: listeners look whether they have everything.
  messages[#messages + 1] = '{"last":"' .. topic.last .. '","epoch":"' .. topic.epoch .. '"}'
end

if hasLogged or ARGV[7] == '1' then
  local isDue = topic.isNewEpoch or turnOf(topic.last) ~= turnOf(opened)
  if isDue then trimByAge() end
  if isDue or isFirstKept then redis.call('PEXPIRE', logKey, maxAge + TURN_MS) end
  if hasCompacted and (isDue or isFirstCompacted) then
    redis.call('PEXPIRE', compactedKey, maxAge + TURN_MS)
    redis.call('PEXPIRE', indexKey, maxAge + TURN_MS)
  end
  writeHead(headKey, topic, isDue and headTtl or nil)
end

-- Last: what is refused here is in the log.
for _, message in ipairs(messages) do
  if ARGV[6] == '1' then publishSharded(channel, message) else redis.call('PUBLISH', channel, message) end
end

return answer
