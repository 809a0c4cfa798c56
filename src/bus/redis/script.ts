/** Scripts that Redis runs: each is one step, which nobody gets between. */
import { createHash } from "node:crypto";
import type { Cluster, Redis } from "ioredis";

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** What the scripts share; its functions are local to each. Positions are written as `positionAt` writes them. */
const PRELUDE = `
local function nowMs()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function toText(ms, sequence) return string.format('%015.0f-%012.0f', ms, sequence) end
local function toNumbers(position)
  local ms, sequence = string.match(position, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end
-- The present, or, where the clock was set back, what comes right after 'last'.
local function following(ms, sequence, last)
  if not last or last == '' then return ms, sequence end
  local lastMs, lastSequence = toNumbers(last)
  if lastMs > ms or (lastMs == ms and lastSequence >= sequence) then return lastMs, lastSequence + 1 end
  return ms, sequence
end
-- Moves the clock that all topics share, and tells where it stands now.
local function tick(clockKey, floor)
  local ms, sequence = following(nowMs(), 0, floor)
  ms, sequence = following(ms, sequence, redis.call('GET', clockKey))
  redis.call('SET', clockKey, toText(ms, sequence))
  return ms, sequence
end
-- In a cluster: to the node's own subscribers where it can (sharded), else to everybody's. Whoever listens is told which by the node's
-- ticks, which are published by this too, so that both always go the same way.
local function publish(channel, message)
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
local function serverInfo() return redis.call('INFO', 'server') end
-- Since when this process of Redis has the log, and what it is known by: what was published before may have died with the one before.
local function logSince(epochKey, clockKey)
  local id = string.match(serverInfo(), 'run_id:(%x+)')
  local epoch = redis.call('GET', epochKey)
  local known, since = string.match(epoch or '', '^(%x+) ([%d-]+)$')
  if known == id then return since, id end
  since = toText(tick(clockKey))
  redis.call('SET', epochKey, id .. ' ' .. since)
  return since, id
end
`;

export function defineScript(body: string): Script {
  const text = `${PRELUDE}${body}`;
  return { text, sha: createHash("sha1").update(text).digest("hex") };
}

/** Runs a script by its digest. A server that does not know it (it has been restarted) gets the text. */
export async function runScript(
  client: Redis | Cluster,
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!isUnknownScript(error)) throw error;
    return client.eval(text, keys.length, ...keys, ...args);
  }
}

export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("NOSCRIPT");
}

/** An answer that is a list; empty where it is something else. */
export function toList(answer: unknown): readonly unknown[] {
  return Array.isArray(answer) ? answer : [];
}
