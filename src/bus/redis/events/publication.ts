/** A batch of one topic's events on its way to Redis, which takes it in one step (`publish.lua`). */
import { DELAY_MIN_MS, EVENT_ID_TTL_MS, LOG_MAX_EVENTS, type BusOptions } from "../../bus.ts";
import type { Position } from "../../position.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisKeys } from "../keys.ts";
import { loadScript, runScript, toList } from "../script.ts";
import { HEAD_TTL_MS } from "./log.ts";
import type { Outgoing } from "./outgoing.ts";

const PUBLISH = loadScript(import.meta.url, "topic.lua", "publish.lua");

/** The id of a compacted event is remembered for as long as its publication may be under way. */
const COMPACTED_ID_TTL_MS = 60_000;

export interface PublicationParts<Event> {
  readonly options: Pick<BusOptions<Event>, "logAgeMs" | "timeOf">;
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  /** New positions are after this one, the greatest that this process has met. */
  readonly floor: () => Position;
}

interface BatchState {
  /** Events of the topic that came before these were dropped. */
  readonly endsDropping: boolean;
  /** Events of the queue have waited for Redis, or are published again: other instances may lack what came before. */
  readonly hasWaited: boolean;
}

/** Resolves to the position of each event, empty where it is transient, and whether it is new, in a flat list. Rejects as Redis does. */
export async function runPublication<Event>(
  { connection, keys, options, floor }: PublicationParts<Event>,
  topic: string,
  batch: readonly Outgoing<Event>[],
  { endsDropping, hasWaited }: BatchState,
): Promise<readonly unknown[]> {
  const head = keys.head(topic);
  const ids = batch.map(({ kind, id }) => (kind === "durable" ? keys.eventId(topic, id) : head));
  const compacted = [keys.compacted(topic), keys.compactedIndex(topic)];
  const names = [
    head,
    keys.log(topic),
    keys.channel(topic),
    ...keys.clocks(topic),
    ...compacted,
    keys.past(topic),
    ...ids,
  ];
  const limits = [EVENT_ID_TTL_MS, LOG_MAX_EVENTS, Math.ceil(options.logAgeMs), HEAD_TTL_MS];
  const flags = [floor(), connection.isCluster ? "1" : "0", endsDropping ? "1" : "0"];
  const idStart = Buffer.byteLength(keys.eventId(topic, ""));
  const others = [COMPACTED_ID_TTL_MS, DELAY_MIN_MS, idStart, hasWaited ? "1" : "0"];
  const events = batch.flatMap(({ event, kind, json, original, compaction }) => [
    json,
    original,
    compaction?.key ?? "",
    compaction?.keeps ?? 1,
    (kind === "durable" ? options.timeOf?.(event) : undefined) ?? "",
  ]);
  const args = [...limits, ...flags, ...others, ...events];
  return toList(await connection.execute(head, (client) => runScript(client, PUBLISH, names, args)));
}
