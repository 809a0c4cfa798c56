/** The log in Redis: a stream for each topic, bounded by count and by age. */
import { LOG_MAX_EVENTS, type BusOptions, type LogEntry, type LogTail } from "../../bus.ts";
import { isPosition, justBefore, parsePosition, positionAt, type Position } from "../../position.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { defineScript, toList } from "../script.ts";

// Since when the stream has everything is the latest of: its age's bound; when this process of Redis began to have it, which a
// single server keeps to the ms, and a cluster's node knows by its uptime, in seconds of the clock that it was taken from, rounded to
// the safe side; and, where the count's bound was reached, what comes right before its first entry.
const READ = defineScript(`
local sinceMs = nowMs() - tonumber(ARGV[1])
local since = toText(sinceMs, 0)
local epoch
if KEYS[2] then
  epoch = logSince(KEYS[3], KEYS[2])
else
  local info = serverInfo()
  local seconds = math.floor(tonumber(string.match(info, 'server_time_usec:(%d+)')) / 1000000)
  epoch = toText((seconds - tonumber(string.match(info, 'uptime_in_seconds:(%d+)')) + 1) * 1000, 0)
end
if epoch > since then since = epoch end
local full = redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[2])
local ms, sequence = toNumbers(since)
local first = string.format('%.0f-%.0f', ms, sequence)
if ARGV[3] ~= '' and ARGV[3] >= since then
  ms, sequence = toNumbers(ARGV[3])
  first = string.format('%.0f-%.0f', ms, sequence)
end
local oldest = full and redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
return {since, oldest and oldest[1] or '', redis.call('XRANGE', KEYS[1], '(' .. first, '+'), toText(nowMs(), 0)}
`);

// Where a topic stands: nothing that is published from now on has a position that is not greater.
const PRESENT = defineScript(`
if KEYS[2] then return redis.call('GET', KEYS[2]) or toText(nowMs(), 0) end
local last = redis.call('EXISTS', KEYS[1]) == 1 and redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not last then return toText(nowMs() - 1, 0) end
local ms, sequence = string.match(last[1], '^(%d+)-(%d+)$')
return toText(tonumber(ms), tonumber(sequence))
`);

export class RedisLog<Event> {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #decode: BusOptions<Event>["decode"];
  readonly #ageMs: number;
  readonly #onGarbage: () => void;

  constructor(
    connection: RedisConnection,
    keys: RedisKeys,
    { decode, logAgeMs }: Pick<BusOptions<Event>, "decode" | "logAgeMs">,
    onGarbage: () => void,
  ) {
    this.#connection = connection;
    this.#keys = keys;
    this.#decode = decode;
    this.#ageMs = logAgeMs;
    this.#onGarbage = onGarbage;
  }

  async read(topic: string, after: Position): Promise<readonly LogEntry<Event>[] | undefined> {
    const { since, entries } = await this.#fetch(topic, after);
    return after < since ? undefined : entries;
  }

  /** What it has after that position, complete or not. */
  async recent(topic: string, after: Position): Promise<readonly LogEntry<Event>[]> {
    return (await this.#fetch(topic, after)).entries;
  }

  tail(topic: string): Promise<LogTail<Event>> {
    return this.#fetch(topic, "");
  }

  /** A position that is less than those of all events which are published on the topic from now on. */
  async present(topic: string): Promise<Position> {
    const answer = String(await this.#connection.script(PRESENT, this.#scriptKeys(topic, false), []));
    if (!isPosition(answer)) throw new Error("Redis answers with no position");
    return answer;
  }

  async #fetch(topic: string, after: string): Promise<LogTail<Event>> {
    const args = [Math.ceil(this.#ageMs), LOG_MAX_EVENTS, after];
    const answer = await this.#connection.script(READ, this.#scriptKeys(topic, true), args);
    const [since, oldest, raw] = toList(answer);
    const floor = typeof oldest === "string" && oldest !== "" ? justBefore(toPosition(oldest)) : "";
    const bound = String(since);
    return {
      since: floor > bound ? floor : bound,
      entries: toList(raw).flatMap((entry) => this.#toEntry(entry)),
    };
  }

  #scriptKeys(topic: string, withEpoch: boolean): string[] {
    const { clock, epoch } = this.#keys;
    const ofServer = withEpoch ? [clock, epoch] : [clock];
    return [this.#keys.log(topic), ...(this.#connection.isCluster ? [] : ofServer)];
  }

  /** Empty where the entry is none of ours. */
  #toEntry(entry: unknown): readonly LogEntry<Event>[] {
    const [id, fields] = toList(entry);
    const text = toList(fields)[1];
    const event = typeof text === "string" ? this.#decode(parse(text)) : undefined;
    if (typeof id === "string" && event !== undefined) return [{ position: toPosition(id), event }];
    this.#onGarbage();
    return [];
  }
}

/** A stream's ids are positions without the zeros in front. */
function toPosition(streamId: string): Position {
  const { ms, sequence } = parsePosition(streamId);
  return positionAt(ms, sequence);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
