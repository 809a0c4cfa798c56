/** What an emptied Redis is told again of events. */
import { boundedEach } from "../../../bounded.ts";
import { whenReachable } from "../../bus.ts";
import type { RedisConnection } from "../connection/connection.ts";
import type { RedisShard } from "../connection/shard.ts";
import type { RedisKeys } from "../keys.ts";
import type { RedisLog } from "./log.ts";
import type { RedisPublisher } from "./publisher.ts";
import type { RecentEvents } from "./recent-events.ts";

/** Topics whose positions are written at the same time. */
const AT_ONCE = 64;

interface RestoreParts<Event> {
  readonly connection: RedisConnection;
  readonly keys: RedisKeys;
  readonly recent: RecentEvents<Event>;
  readonly publisher: RedisPublisher<Event>;
  readonly log: RedisLog<Event>;
}

/**
 * The server is another process of Redis than before: the events that it may lack are published again, before anything else, and it is told
 * where older ones were. Resolves when it has that, or is gone.
 */
export async function restoreEvents<Event>(
  { connection, keys, recent, publisher, log }: RestoreParts<Event>,
  shard: RedisShard,
  onProgress: () => void,
): Promise<void> {
  const isThere = (topic: string): boolean => connection.shards.of(keys.channel(topic)) === shard;
  const published = Array.from(recent.topics)
    .filter(isThere)
    .map((name) => publisher.restore(name).then(onProgress));
  const past = Array.from(recent.positions.topics).filter(({ topic }) => isThere(topic));
  const { runId } = shard;
  const isWanted = (): boolean => shard.runId === runId && !connection.isClosed;
  const remembered = boundedEach(past, AT_ONCE, async (positions) => {
    await whenReachable(() => log.remember(positions), isWanted);
    onProgress();
  });
  await Promise.all([...published, remembered]);
}
