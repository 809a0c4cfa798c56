-- What the scripts share; its functions are local to each script. Positions are written as `positionAt` writes them: 15 digits of
-- milliseconds, a hyphen, 12 digits of sequence, so that their order is that of the texts.

-- The same instant throughout a script.
local scriptMs
local function nowMs()
  if not scriptMs then
    local time = redis.call('TIME')
    scriptMs = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return scriptMs
end

local function toText(ms, sequence)
  return string.format('%015.0f-%012.0f', ms, sequence)
end

-- The first position of that instant.
local scriptPosition
local function nowPosition()
  scriptPosition = scriptPosition or toText(nowMs(), 0)
  return scriptPosition
end

local function toNumbers(position)
  local ms, sequence = string.match(position, '^(-?%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

-- The position of the present, or, if one of the given positions is not before that, the one right after the greatest of them. Each may be
-- nil, false or empty.
local function presentAfter(...)
  local greatest = ''
  for i = 1, select('#', ...) do
    local position = select(i, ...)
    if position and position > greatest then greatest = position end
  end
  local position = nowPosition()
  if position > greatest then return position end
  local ms, sequence = toNumbers(greatest)
  return toText(ms, sequence + 1)
end

local function serverInfo() return redis.call('INFO', 'server') end

-- The epoch of this server: a process of Redis that was started, or promoted by being another one than before, may lack the last
-- writes of its predecessor.
local function epochOf(info)
  -- Plain text is found several times as fast as a pattern, and every publication looks for it.
  local _, before = string.find(info, 'run_id:', 1, true)
  return string.match(info, '^%x+', before + 1)
end

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

-- The second of a position, as a text.
local function secondOf(position) return string.sub(position, 1, 12) end

-- For a plain server: its epoch, the position at which that was noticed, and the position of the clock, which may be nil. The first script that
-- notices a new process of Redis writes that. Whoever moves the clock has looked which process it is: where the clock was moved within this
-- second nobody looks again, since that takes longer than all else.
local function plainEpoch(epochKey, clockKey)
  local record, clock = unpack(redis.call('MGET', epochKey, clockKey))
  local known, began = string.match(record or '', '^(%x+) ([%d-]+)$')
  if known and clock and secondOf(clock) == secondOf(nowPosition()) then return known, began, clock end
  local epoch = epochOf(serverInfo())
  if known == epoch then return epoch, began, clock end
  began = presentAfter(clock)
  -- Where writing is refused nothing is published, and the next script notices it.
  if redis.pcall('SET', epochKey, epoch .. ' ' .. began).err then return epoch, began, clock end
  redis.call('SET', clockKey, began)
  return epoch, began, began
end

-- This process of Redis, where it is none of those of which ARGV tells from `first` on that they have everything that others had before
-- them; nil where it is one.
local function unknownEpoch(first)
  local epoch = epochOf(serverInfo())
  for i = first, #ARGV do if ARGV[i] == epoch then return nil end end
  return epoch
end
