/** What comes while a topic waits for the log: through a log that answers when it is told to. */
import { expect, test } from "vitest";
import { LOG_MAX_EVENTS, type LogEntry } from "../../src/bus/bus.ts";
import { positionAt } from "../../src/bus/position.ts";
import type { RedisChannels } from "../../src/bus/redis/events/channels.ts";
import type { RedisConnection } from "../../src/bus/redis/connection/connection.ts";
import { redisKeys } from "../../src/bus/redis/keys.ts";
import type { RedisLog } from "../../src/bus/redis/events/log.ts";
import type { RedisShard } from "../../src/bus/redis/connection/shard.ts";
import type { RedisShards } from "../../src/bus/redis/connection/shards.ts";
import { RedisTopics } from "../../src/bus/redis/events/topics.ts";
import { TEST_EVENTS, type TestEvent } from "./events.ts";
import { numbers, PATIENTLY } from "./redis-scene.ts";

const SOON = Date.now() + 60_000;
const at = (n: number): string => positionAt(SOON, n);

test("too much for what may be held is read from the log again, in order; what is not logged is kept", async () => {
  const published: LogEntry<TestEvent>[] = [];
  const reads: PromiseWithResolvers<void>[] = [];
  let send: (payload: unknown) => void = () => undefined;
  const channels: Partial<RedisChannels> = {
    has: () => false,
    isUp: () => true,
    join: () => Promise.resolve(),
    async listen(_channel, receive) {
      send = receive;
    },
  };
  const log: Partial<RedisLog<TestEvent>> = {
    present: () => Promise.resolve(at(0)),
    async read(_topic, after) {
      const entries = published.filter(({ position }) => position > after);
      const answer = Promise.withResolvers<void>();
      reads.push(answer);
      await answer.promise;
      return entries;
    },
  };
  const shard: Partial<RedisShard> = { isConnected: true, hear: () => undefined };
  const shards: Partial<RedisShards> = { slot: () => 0, at: () => shard as RedisShard };
  const topics = new RedisTopics<TestEvent>({
    options: { ...TEST_EVENTS, onListenerError: (error) => expect.unreachable(String(error)) },
    connection: { isCluster: false, shards: shards as RedisShards } as RedisConnection,
    channels: channels as RedisChannels,
    log: log as RedisLog<TestEvent>,
    keys: redisKeys(""),
    onGarbage: () => expect.unreachable(),
  });
  const given: number[] = [];
  await topics.subscribe("topic", { receive: ({ n }) => void given.push(n), missed: () => expect.unreachable() });
  topics.lost(new Set(["events:{topic}"]), undefined);
  const healed = topics.heal(shard as RedisShard);
  await expect.poll(() => reads.length, PATIENTLY).toBe(1);
  const count = 2 * LOG_MAX_EVENTS + 500;
  send({ key: "unlogged", event: { n: -1, kind: "queued" } });
  for (const n of numbers(count)) {
    const position = at(n + 1);
    published.push({ position, event: { n } });
    send({ position, event: { n } });
    expect(topics.get("topic")?.held?.length).toBeLessThanOrEqual(LOG_MAX_EVENTS);
  }
  reads[0]?.resolve();
  await expect.poll(() => reads.length, PATIENTLY).toBe(2);
  reads[1]?.resolve();
  await healed;
  expect(given.filter((n) => n >= 0)).toEqual(numbers(count));
  expect(given.filter((n) => n < 0)).toEqual([-1]);
});
