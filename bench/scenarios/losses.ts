/** What breaks while messages flow, for `loss.ts`. */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import type { Relay } from "../../tests/support/relay.ts";
import type { Hearer } from "../load/hearers.ts";
import { startRedis, type Stage } from "../peers.ts";

export interface Place {
  /** Between the hearers and their server. */
  readonly relay: Relay;
  readonly stage: Stage;
  readonly hearers: readonly Hearer[];
  /** Disposes of it when everything has come. */
  readonly keep: (started: AsyncDisposable) => void;
}

export interface Loss {
  readonly name: string;
  /** Within so many ms. */
  befall(place: Place, durationMs: number): Promise<void>;
}

const TIMES = 5;

async function again(durationMs: number, fault: () => unknown): Promise<void> {
  for (let time = 0; time < TIMES; time++) {
    await delay(durationMs / (TIMES + 1));
    await fault();
  }
}

export const LOSSES: readonly Loss[] = [
  { name: "nothing", befall: async () => undefined },
  { name: "clients' sockets cut, 5 times", befall: ({ relay }, ms) => again(ms, () => relay.cut()) },
  {
    name: "`CLIENT KILL TYPE pubsub`, 5 times",
    async befall({ stage }, ms) {
      const control = new Redis({ port: stage.redis?.port ?? 0 });
      await again(ms, () => control.client("KILL", "TYPE", "pubsub"));
      control.disconnect();
    },
  },
  {
    name: "Redis killed, back empty after 1 s",
    async befall({ stage: { redis }, keep }, ms) {
      await delay(ms / 3);
      const port = redis?.port ?? 0;
      await redis?.[Symbol.asyncDispose]();
      await delay(1000);
      keep(await startRedis(port));
    },
  },
  {
    name: "clients that stop reading for half the time",
    async befall({ hearers }, ms) {
      await delay(ms / 4);
      for (const hearer of hearers) hearer.pause();
      await delay(ms / 2);
      for (const hearer of hearers) hearer.resume();
    },
  },
];
