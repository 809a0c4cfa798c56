/** What can befall three gateways, their Redis and their load balancer. Each fault is over when its promise resolves. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Instances } from "../../tests/support/instances.ts";
import type { Random } from "./random.ts";

export interface Fault {
  readonly name: string;
  /** Whether instances are cut off from each other by it: what is sent meanwhile has no order that all agree on. */
  readonly isOutage: boolean;
  /** Whether Redis forgets by it what has been said. */
  readonly losesLog?: true;
  /** How many times as long everybody pauses between two messages meanwhile. */
  readonly pace?: number;
  befall(instances: Instances, random: Random): Promise<void>;
}

/** How often the fault is one that takes long. */
const LONG_SHARE = 0.05;

/** Every heartbeat is missed. */
const LONG_MS = 30_000;

/** What waits so long in one chat is then less than its log keeps: what the log has lost has no order that all agree on. */
const LONG_PACE = 4;

async function stop({ all }: Instances, random: Random, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const instance = random.pick(all);
  await instance.stop(signal);
  await sleep(random.between(0, 1500));
  await instance.restart();
  await instance.answersReady(200);
}

const FAULTS: readonly [Fault, ...Fault[]] = [
  {
    name: "sockets of one instance cut",
    isOutage: false,
    befall: async ({ all }, random) => random.pick(all).cut(),
  },
  {
    name: "CLIENT KILL TYPE pubsub",
    isOutage: false,
    async befall({ redis }, random) {
      for (let round = 0; round < 5; round++) {
        await redis.control.client("KILL", "TYPE", "pubsub");
        await sleep(random.between(0, 400));
      }
    },
  },
  {
    name: "all connections to Redis cut",
    isOutage: true,
    async befall({ redis }, random) {
      for (let round = 0; round < 3; round++) {
        await redis.control.client("KILL", "SKIPME", "yes");
        await sleep(random.between(0, 400));
      }
    },
  },
  {
    name: "Redis killed, back empty",
    isOutage: true,
    losesLog: true,
    async befall({ redis }, random) {
      await redis.kill();
      await sleep(random.between(0, 4000));
      await redis.restart();
    },
  },
  {
    name: "Redis stopped and continued",
    isOutage: true,
    async befall({ redis }, random) {
      redis.pause();
      await sleep(random.between(200, 5000));
      redis.resume();
    },
  },
  { name: "SIGKILL of an instance", isOutage: false, befall: (all, random) => stop(all, random, "SIGKILL") },
  { name: "SIGTERM of an instance", isOutage: false, befall: (all, random) => stop(all, random, "SIGTERM") },
  {
    name: "load balancer killed",
    isOutage: false,
    async befall({ balancer }, random) {
      await balancer.kill();
      await sleep(random.between(0, 1000));
      await balancer.restart();
    },
  },
];

const LONG_FAULT: Fault = {
  name: "Redis stopped for 30 s",
  isOutage: true,
  pace: LONG_PACE,
  async befall({ redis }) {
    redis.pause();
    await sleep(LONG_MS);
    redis.resume();
  },
};

export function nextFault(random: Random): Fault {
  return random.next() < LONG_SHARE ? LONG_FAULT : random.pick(FAULTS);
}
