/** What a gateway, and its Redis where it has one, hold: asked for, and compared. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startDevApi, type DevApi } from "../../src/dev/api.ts";
import { openOf } from "../../tests/support/fuzz/leftovers.ts";
import { end, startRedis } from "../../tests/support/redis.ts";
import { ask } from "../children.ts";
import type { Addresses, Held, Order } from "./gateway.ts";

const GATEWAY = fileURLToPath(import.meta.resolve("./gateway.ts"));

export const BUSES = ["memory", "redis"] as const;

export type BusName = (typeof BUSES)[number];

/** With a Redis also what lies there. */
export interface Holding extends Held {
  readonly redisKeys?: number;
  readonly redisBytes?: number;
}

const QUANTITIES = [
  "heapBytes",
  "residentBytes",
  "handles",
  "openFiles",
  "mapEntries",
  "redisKeys",
  "redisBytes",
] as const;

/** What has a warm level. */
export type Quantity = (typeof QUANTITIES)[number];

export interface Observed extends AsyncDisposable {
  readonly bus: BusName;
  readonly api: DevApi;
  readonly url: string;
  readonly wsUrl: string;
  hold(): Promise<Holding>;
  /** Gauges of connections, subscriptions and what waits, which are 0 when nobody is connected. */
  open(): Promise<Readonly<Record<string, number>>>;
}

const QUICK = {
  PORT: "0",
  HOST: "127.0.0.1",
  ADMIN_PORT: "0",
  LOG_LEVEL: "warn",
  DRAIN_WINDOW: "0",
  RATE_LIMIT_MESSAGES: "1000000/1s",
  RATE_LIMIT_OPERATIONS: "1000000/1s",
};

/** Starts a gateway on a development API in this process, and a Redis where the bus is one. */
export async function startObserved(
  bus: BusName,
  environment: Readonly<Record<string, string>> = {},
): Promise<Observed> {
  await using starting = new AsyncDisposableStack();
  const api = starting.use(await startDevApi({ file: ":memory:" }));
  const redis = bus === "redis" ? starting.use(await startRedis()) : undefined;
  const child = fork(GATEWAY, {
    env: {
      PATH: process.env["PATH"],
      ...QUICK,
      HTTP_API_URL: api.url,
      ...(redis && { REDIS_URL: redis.url }),
      ...environment,
    },
    execArgv: ["--max-semi-space-size=16", "--v8-pool-size=0", "--expose-gc"],
  });
  starting.defer(() => end(child));
  const { url, adminUrl } = await ask<Addresses>(child, { type: "start" } satisfies Order);
  const running = starting.move();
  return {
    bus,
    api,
    url,
    wsUrl: url.replace(/^http/, "ws"),
    async hold() {
      const held = await ask<Held>(child, { type: "hold" } satisfies Order);
      if (!redis) return held;
      const [redisKeys, memory] = await Promise.all([redis.control.dbsize(), redis.control.info("memory")]);
      return { ...held, redisKeys, redisBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1]) };
    },
    open: () => openOf(adminUrl),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** What a quantity may be above its warm level. */
interface Margin {
  /** Of the warm level. */
  readonly share: number;
  readonly more: number;
  /** For each message, whose ids are remembered for ten minutes, so that a repetition is recognised. */
  readonly perMessage: number;
}

const MEBIBYTE = 1_048_576;

/** What is left to chance: which pages are empty, which timers run, which caches of a bounded size are full. */
export const MARGINS: Readonly<Record<Quantity, Margin>> = {
  heapBytes: { share: 0.05, more: 2 * MEBIBYTE, perMessage: 1000 },
  // The allocator keeps pages that are empty: what is resident comes down later than the heap, and not by all.
  residentBytes: { share: 0.3, more: 16 * MEBIBYTE, perMessage: 1000 },
  handles: { share: 0, more: 12, perMessage: 0 },
  openFiles: { share: 0, more: 12, perMessage: 0 },
  mapEntries: { share: 0.05, more: 500, perMessage: 4 },
  redisKeys: { share: 0.02, more: 50, perMessage: 4 },
  redisBytes: { share: 0.1, more: MEBIBYTE, perMessage: 1000 },
};

/**
 * The quantities that are not back at the warm level, as sentences.
 *
 * @param messages that were written in between.
 */
export function faultsOf(warm: Holding, after: Holding, messages: number): readonly string[] {
  return quantitiesOf(warm).flatMap((quantity) => {
    const [before, now] = [warm[quantity] ?? 0, after[quantity] ?? Number.NaN];
    const { share, more, perMessage } = MARGINS[quantity];
    const most = before * (1 + share) + more + messages * perMessage;
    return now <= most ? [] : [`${quantity}: ${now}, expected ${Math.floor(most)} at most, ${before} warm`];
  });
}

export function quantitiesOf(holding: Holding): readonly Quantity[] {
  return QUANTITIES.filter((quantity) => holding[quantity] !== undefined);
}
