-- What the scripts share; its functions are local to each script. Positions are written as `positionAt` writes them: 15 digits of
-- milliseconds, a hyphen, 12 digits of sequence, so that their order is that of the texts.

local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function toText(ms, sequence)
  return string.format('%015.0f-%012.0f', ms, sequence)
end

local function toNumbers(position)
  local ms, sequence = string.match(position, '^(-?%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

-- The given instant, or, where that is not after `last`, what comes right after `last`.
local function following(ms, sequence, last)
  if not last or last == '' then return ms, sequence end
  local lastMs, lastSequence = toNumbers(last)
  if lastMs > ms or (lastMs == ms and lastSequence >= sequence) then return lastMs, lastSequence + 1 end
  return ms, sequence
end

-- Advances the clock that all topics of a plain server share, and returns its position.
local function tick(clockKey, floor)
  local ms, sequence = following(nowMs(), 0, floor)
  ms, sequence = following(ms, sequence, redis.call('GET', clockKey))
  redis.call('SET', clockKey, toText(ms, sequence))
  return ms, sequence
end

local function serverInfo() return redis.call('INFO', 'server') end

-- The epoch of this server: a process of Redis that was started, or promoted by being another one than before, may lack the last
-- writes of its predecessor.
local function epochOf(info) return string.match(info, 'run_id:(%x+)') end

-- Since when this process of Redis has run, rounded up to a whole second.
local function startedAt(info)
  local seconds = math.floor(tonumber(string.match(info, 'server_time_usec:(%d+)')) / 1000000)
  return toText((seconds - tonumber(string.match(info, 'uptime_in_seconds:(%d+)')) + 1) * 1000, 0)
end

-- Publishes to a channel, in a Cluster to the node's own subscribers where it can (sharded), else to everybody's. Returns 1 where it
-- was sharded. Listeners learn by the node's ticks, which are published by this too, how to subscribe.
local function publishSharded(channel, message)
  local answer = redis.pcall('SPUBLISH', channel, message)
  if type(answer) == 'number' then return 1 end
  for _, refusal in ipairs({'nknown', "can't run", 'NOPERM', 'ACL'}) do
    if string.find(answer.err, refusal, 1, true) then
      redis.call('PUBLISH', channel, message)
      return 0
    end
  end
  error(answer.err)
end

-- Since when this process of Redis has the log, for a plain server. The first script that notices a new process writes it.
local function logSince(epochKey, clockKey, info)
  local id = epochOf(info)
  local known, since = string.match(redis.call('GET', epochKey) or '', '^(%x+) ([%d-]+)$')
  if known == id then return since, id end
  since = toText(tick(clockKey))
  redis.call('SET', epochKey, id .. ' ' .. since)
  return since, id
end
