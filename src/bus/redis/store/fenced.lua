-- A fenced value is one text, its parts apart by NUL: the owner; when it took the value, where the value was written again after Redis had lost
-- it; the owner's turn in which the tombstone was written last; the value, empty where there is none.

local function readFenced(key)
  local text = redis.call('GET', key)
  if not text then return { owner = nil, taken = '', value = '' } end
  local owner, taken, value = string.match(text, '^(%Z*)%z(%Z*)%z%Z*%z(.*)$')
  return { owner = owner, taken = taken, value = value }
end

-- The next `put` writes the tombstone again.
local function writeFenced(key, owner, taken, value, ttlMs)
  redis.call('SET', key, owner .. '\0' .. taken .. '\0\0' .. value, 'PX', ttlMs)
end
