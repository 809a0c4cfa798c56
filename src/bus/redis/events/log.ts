/** The log in Redis: a stream for each part of a topic, bounded by count and by age, and a head that outlives them (`topic.lua`). */
import { EVENT_ID_TTL_MS, type BusOptions, type LogEntry, type LogPart, type LogTail } from "../../bus.ts";
import { earlier, parsePosition, positionAt, type Position } from "../../position.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { loadScript, toList } from "../script.ts";
import { isPositionText } from "./message.ts";
import type { TopicPositions } from "./past-positions.ts";

/** How long the head of a topic outlives its last event. */
export const HEAD_TTL_MS = 7 * 24 * 3_600_000;

const READ = loadScript(import.meta.url, "topic.lua", "read.lua");
const REMEMBER = loadScript(import.meta.url, "remember.lua");

/** Positions that Redis is told again in one step. */
const REMEMBERED_AT_ONCE = 500;

/** How far apart the clocks of a Cluster's nodes may be: a position of one node is compared with the present of another. */
const CLUSTER_SKEW_MS = 1000;

/** An entry, and its place among those that were written before Redis lost its memory. */
export interface RedisLogEntry<Event> extends LogEntry<Event> {
  readonly order: Position;
  /** The position that another process of Redis gave it. */
  readonly restoredFrom: Position | undefined;
}

export interface RedisLogPage<Event> {
  /** The log is complete after that position. */
  readonly since: Position;
  /** Its compacted part is, but for what was replaced. */
  readonly compactedSince: Position;
  /** The position of the topic's last event; empty where none is known. */
  readonly last: Position;
  /** The process of Redis that has the log. */
  readonly epoch: string;
  /** A position before those of all events that are published from now on. */
  readonly present: Position;
  /** How long events after that position had taken until they were published, as `EventLog.delayAfter` tells it. */
  readonly delayMs: number;
  /** In the order of their positions. */
  readonly entries: readonly RedisLogEntry<Event>[];
}

interface LogParts<Event> {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly options: Pick<BusOptions<Event>, "decode">;
  readonly onUndecodable: () => void;
}

export class RedisLog<Event> {
  readonly #parts: LogParts<Event>;

  constructor(parts: LogParts<Event>) {
    this.#parts = parts;
  }

  async read(topic: string, after: Position, part: LogPart): Promise<readonly LogEntry<Event>[] | undefined> {
    const { present, entries, ...page } = await this.page(topic, after, part);
    const since = part === "compacted" ? page.compactedSince : page.since;
    // A position that is still to come was made by a clock that was ahead.
    const skewMs = this.#parts.connection.isCluster ? CLUSTER_SKEW_MS : 0;
    const isToCome = after > positionAt(parsePosition(present).ms + skewMs, parsePosition(present).sequence);
    return after < since || isToCome ? undefined : entries.map(toLogEntry);
  }

  async tail(topic: string): Promise<LogTail<Event>> {
    const { since, entries } = await this.page(topic, "", "kept");
    const ordered = entries.toSorted((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0));
    return { since, entries: ordered.map(toLogEntry) };
  }

  async positionsOf(topic: string, ids: readonly string[]): Promise<readonly (Position | undefined)[]> {
    const { connection, keys } = this.#parts;
    const names = ids.map((id) => keys.eventId(topic, id));
    const [first] = names;
    if (first === undefined) return [];
    // Sent together, since neither waits for the other's answer.
    const [positions, past] = await Promise.all([
      connection.run(first, (client) => client.mget(names)),
      connection.run(first, (client) => client.hmget(keys.past(topic), ...ids)),
    ]);
    return positions.map((published, index) => {
      const position = published ?? past[index];
      return isPositionText(position) ? position : undefined;
    });
  }

  /** Tells a Redis that has lost its memory where events were. Rejects with BusUnavailable. */
  async remember({ topic, positions, late, delayMs }: TopicPositions): Promise<void> {
    const { connection, keys } = this.#parts;
    const all = [...positions];
    for (let start = 0; start < all.length; start += REMEMBERED_AT_ONCE) {
      const some = all.slice(start, start + REMEMBERED_AT_ONCE);
      const args = [EVENT_ID_TTL_MS, HEAD_TTL_MS, late, delayMs, ...some.flat()];
      await connection.script(REMEMBER, [keys.head(topic), keys.past(topic)], args);
    }
  }

  /** The position of the topic's last event; empty where none is known. Rejects with BusUnavailable. */
  async last(topic: string): Promise<Position> {
    const { connection, keys } = this.#parts;
    const head = keys.head(topic);
    const [last] = await connection.run(head, (client) => client.hmget(head, "last"));
    return isPositionText(last) ? last : "";
  }

  async delayAfter(topic: string, after: Position): Promise<number> {
    const { connection, keys } = this.#parts;
    const head = keys.head(topic);
    const [late, delay] = await connection.run(head, (client) => client.hmget(head, "late", "delay"));
    return delayOf(late, delay, after);
  }

  /** What the log has of the last `ms` before a position, and what was added since. */
  recent(topic: string, before: Position, ms: number): Promise<RedisLogPage<Event>> {
    return this.page(topic, earlier(before, ms));
  }

  /** Rejects with BusUnavailable. @param after empty for everything. */
  async page(topic: string, after: Position, part: LogPart | "both" = "both"): Promise<RedisLogPage<Event>> {
    const { connection, keys } = this.#parts;
    const answer = await connection.script(
      READ,
      [keys.head(topic), keys.log(topic), keys.compacted(topic), ...keys.clocks(topic)],
      [HEAD_TTL_MS, after, part],
    );
    const [since, last, epoch, present, kept, compactedSince, compacted, late, delay] = toList(answer);
    if (
      !isPositionText(since) ||
      !isPositionText(compactedSince) ||
      !isPositionText(present) ||
      typeof epoch !== "string"
    ) {
      throw new Error("Redis answered with no page of a log");
    }
    const [entries, others] = [kept, compacted].map((raw) => toList(raw).flatMap((entry) => this.#toEntry(entry)));
    return {
      since,
      compactedSince,
      last: isPositionText(last) ? last : "",
      epoch,
      present,
      delayMs: delayOf(late, delay, after),
      entries: inOrder(entries ?? [], others ?? []),
    };
  }

  /** Empty where somebody else has written the entry. */
  #toEntry(entry: unknown): readonly RedisLogEntry<Event>[] {
    const [id, fields] = toList(entry);
    const [, text, , original] = toList(fields);
    const event = typeof text === "string" ? this.#parts.options.decode(parseJson(text)) : undefined;
    if (typeof id !== "string" || event === undefined) {
      this.#parts.onUndecodable();
      return [];
    }
    const position = toPosition(id);
    const restoredFrom = isPositionText(original) ? original : undefined;
    const time = typeof original === "string" ? original.slice(1) : undefined;
    return [{ position, event, order: restoredFrom ?? (isPositionText(time) ? time : position), restoredFrom }];
  }
}

function delayOf(late: unknown, delay: unknown, after: Position): number {
  return isPositionText(late) && late > after ? Number(delay) : 0;
}

/** The entries of both parts, in the order of their positions. */
function inOrder<Event>(
  kept: readonly RedisLogEntry<Event>[],
  compacted: readonly RedisLogEntry<Event>[],
): readonly RedisLogEntry<Event>[] {
  if (kept.length === 0 || compacted.length === 0) return [...kept, ...compacted];
  return [...kept, ...compacted].toSorted((a, b) => (a.position < b.position ? -1 : 1));
}

function toLogEntry<Event>({ position, event, order }: RedisLogEntry<Event>): LogEntry<Event> {
  return order === position ? { position, event } : { position, event, order };
}

/** The ids of a stream are positions without the leading zeros. */
function toPosition(streamId: string): Position {
  const { ms, sequence } = parsePosition(streamId);
  return positionAt(ms, sequence);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
