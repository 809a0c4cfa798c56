/** How events are put on their way: what Redis runs for them, and what it answers. */
import { EVENT_ID_TTL_MS, LOG_MAX_EVENTS, type BusOptions, type EventKind } from "../../bus.ts";
import { isPosition, type Position } from "../../position.ts";
import type { RedisChannels } from "./channels.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { UnloggedEnvelope } from "./envelope.ts";
import type { RedisKeys } from "../keys.ts";
import { defineScript, isUnknownScript, toList } from "../script.ts";
import type { RedisTopics } from "./topics.ts";

const APPEND = `
-- Puts an event into its log, under a position after all that are there. Tells the position, and what is published.
local function append(logKey, idKey, ms, sequence, event, idTtl, maxCount, maxAge)
  if redis.call('EXISTS', logKey) == 1 then
    local last = redis.call('XREVRANGE', logKey, '+', '-', 'COUNT', 1)[1]
    local lastMs, lastSequence = string.match(last and last[1] or '0-0', '^(%d+)-(%d+)$')
    ms, sequence = following(ms, sequence, toText(tonumber(lastMs), tonumber(lastSequence)))
  end
  redis.call('XADD', logKey, 'MAXLEN', maxCount, string.format('%.0f-%.0f', ms, sequence), 'event', event)
  redis.call('XTRIM', logKey, 'MINID', string.format('%.0f', nowMs() - maxAge))
  redis.call('PEXPIRE', logKey, maxAge)
  local position = toText(ms, sequence)
  redis.call('SET', idKey, position, 'PX', idTtl)
  return position, '{"position":"' .. position .. '","event":' .. event .. '}'
end
`;

// One step, so that the log and everybody who listens have one order. An id that is known has been published.
const PUBLISH = defineScript(`${APPEND}
local earlier = redis.call('GET', KEYS[1])
if earlier then return {earlier, 0} end
local ms, sequence = tick(KEYS[3], ARGV[6])
local position, message = append(KEYS[2], KEYS[1], ms, sequence, ARGV[1], ARGV[3], ARGV[4], ARGV[5])
redis.call('PUBLISH', ARGV[2], message)
return {position, 1}
`);

// The same in a cluster, for some events of one topic at once. A node may refuse one of several commands, for as long as a slot is on
// its way to another node or from one, and take the next: one step for all of them keeps their order.
// KEYS: log, channel, for each event its id's, where it is logged, or else the channel again. ARGV: limits, the floor, the events.
const PUBLISH_ALL = defineScript(`${APPEND}
local places = {}
for index = 3, #KEYS do
  local text = ARGV[index + 2]
  if KEYS[index] == KEYS[2] then
    publish(KEYS[2], text)
    places[#places + 1] = ''
    places[#places + 1] = 1
  else
    local position, isNew = redis.call('GET', KEYS[index]), 0
    if not position then
      local message
      local ms, sequence = following(nowMs(), 0, ARGV[4])
      position, message = append(KEYS[1], KEYS[index], ms, sequence, text, ARGV[1], ARGV[2], ARGV[3])
      publish(KEYS[2], message)
      isNew = 1
    end
    places[#places + 1] = position
    places[#places + 1] = isNew
  end
end
return places
`);

/** Where the log has an event, and whether it was put there now. */
export interface Place {
  readonly position: Position | undefined;
  readonly isNew: boolean;
}

export const NOWHERE: Place = { position: undefined, isNew: false };

export interface Outgoing<Event> {
  readonly topic: string;
  readonly event: Event;
  readonly kind: EventKind;
  readonly id: string;
}

interface SenderParts<Event> {
  readonly options: BusOptions<Event>;
  readonly connection: RedisConnection;
  readonly channels: RedisChannels;
  readonly topics: RedisTopics<Event>;
  readonly keys: RedisKeys;
}

export class RedisSender<Event> {
  readonly #parts: SenderParts<Event>;
  /** Of a plain server: the text of the script is sent with the next event, since it may not know it. */
  #isScriptUnknown = true;

  constructor(parts: SenderParts<Event>) {
    this.#parts = parts;
  }

  /** Whether the next event has to go alone: were it sent with others, it would be overtaken by those that Redis understands. */
  get isAlone(): boolean {
    return this.#isScriptUnknown && !this.#parts.connection.isCluster;
  }

  /** What has to be sent in its order, whatever becomes of the rest: with a plain server everything, in a cluster each topic. */
  laneOf({ topic }: Outgoing<Event>): string {
    return this.#parts.connection.isCluster ? topic : "";
  }

  /** Takes a batch apart into what is sent as one. */
  runsOf<Item extends Outgoing<Event>>(batch: readonly Item[]): readonly (readonly Item[])[] {
    if (this.#parts.connection.isCluster) return [...Map.groupBy(batch, ({ topic }) => topic).values()];
    return batch.map((item) => [item]);
  }

  /** What Redis knew is not what it knows. */
  forget(): void {
    this.#isScriptUnknown = true;
  }

  /** Sends one run. Resolves to the place of each. Rejects where it may not have been done, in part or at all. */
  async send(run: readonly Outgoing<Event>[]): Promise<readonly Place[]> {
    const [first] = run;
    if (!first) return [];
    if (this.#parts.connection.isCluster) return this.#sendAll(first.topic, run);
    return [first.kind === "logged" ? await this.#sendLogged(first) : await this.#sendUnlogged(first)];
  }

  async #sendUnlogged({ topic, event, id }: Outgoing<Event>): Promise<Place> {
    const { connection, channels, keys } = this.#parts;
    const envelope: UnloggedEnvelope<Event> = { key: id, event };
    const channel = keys.channel(topic);
    await connection.run(channel, () => channels.publish(channel, envelope));
    return NOWHERE;
  }

  async #sendLogged({ topic, event, id }: Outgoing<Event>): Promise<Place> {
    const { connection, keys, topics } = this.#parts;
    const names = [keys.eventId(topic, id), keys.log(topic), keys.clock];
    const args = [JSON.stringify(event), keys.channel(topic), ...this.#limits(), topics.heard];
    try {
      const answer = await connection.run(keys.log(topic), (client) =>
        this.#isScriptUnknown
          ? client.eval(PUBLISH.text, names.length, ...names, ...args)
          : client.evalsha(PUBLISH.sha, names.length, ...names, ...args),
      );
      this.#isScriptUnknown = false;
      return toPlaces(answer)[0] ?? NOWHERE;
    } catch (error) {
      if (error instanceof Error && isUnknownScript(error.cause)) this.#isScriptUnknown = true;
      throw error;
    }
  }

  async #sendAll(topic: string, run: readonly Outgoing<Event>[]): Promise<readonly Place[]> {
    const { connection, keys, topics } = this.#parts;
    const channel = keys.channel(topic);
    const names = run.map(({ kind, id }) => (kind === "logged" ? keys.eventId(topic, id) : channel));
    const events = run.map(({ kind, event, id }) => {
      const unlogged: UnloggedEnvelope<Event> = { key: id, event };
      return JSON.stringify(kind === "logged" ? event : unlogged);
    });
    const args = [...this.#limits(), topics.heard, ...events];
    return toPlaces(await connection.script(PUBLISH_ALL, [keys.log(topic), channel, ...names], args));
  }

  #limits(): [idTtlMs: number, maxCount: number, maxAgeMs: number] {
    return [EVENT_ID_TTL_MS, LOG_MAX_EVENTS, Math.ceil(this.#parts.options.logAgeMs)];
  }
}

/** The answer is a list of positions, each with whether it is new. */
function toPlaces(answer: unknown): readonly Place[] {
  const flat = toList(answer);
  return Array.from({ length: Math.floor(flat.length / 2) }, (_, index) => {
    const position = flat[2 * index];
    const isNew = flat[2 * index + 1] === 1;
    return typeof position === "string" && isPosition(position) ? { position, isNew } : NOWHERE;
  });
}
