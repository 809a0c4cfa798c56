/** What can befall three gateways, their Redis and their load balancer. Each fault is over when its promise resolves. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Instances } from "../../tests/support/instances.ts";
import type { Random } from "./random.ts";

export interface Fault {
  readonly name: string;
  /**
   * Redis forgets what has been said. The fault is over when everybody has everything: an instance that dies before it has told an empty
   * Redis again what it had takes the only copy along.
   */
  readonly losesMemory?: true;
  befall(instances: Instances, random: Random): Promise<void>;
}

/** How often the fault is one that takes long. */
const LONG_SHARE = 0.05;

/** How long Redis holds still: shorter and longer than anything that the gateway waits for, and every heartbeat missed. */
const STOPS_S = [0.8, 2, 6] as const;
const LONG_STOP_S = 30;

/** How long Redis refuses to write. */
const REFUSAL_MS = { min: 500, max: 8000 };

async function stop({ all }: Instances, random: Random, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const instance = random.pick(all);
  await instance.stop(signal);
  await sleep(random.between(0, 1500));
  await instance.restart();
  await instance.answersReady(200);
}

function stopOfRedis(seconds: number): Fault {
  return {
    name: `Redis stopped for ${seconds} s`,
    async befall({ redis }) {
      redis.pause();
      await sleep(seconds * 1000);
      redis.resume();
    },
  };
}

/** Redis goes on, and refuses to write. */
function refusal(name: string, refuse: readonly string[], accept: readonly string[]): Fault {
  return {
    name,
    async befall({ redis: { control } }, random) {
      const [command = "", ...args] = refuse;
      await control.call(command, ...args);
      await sleep(random.between(REFUSAL_MS.min, REFUSAL_MS.max));
      const [inverse = "", ...inverseArgs] = accept;
      await control.call(inverse, ...inverseArgs);
    },
  };
}

const FAULTS: readonly [Fault, ...Fault[]] = [
  {
    name: "sockets of one instance cut",
    befall: async ({ all }, random) => random.pick(all).cut(),
  },
  {
    name: "CLIENT KILL TYPE pubsub",
    async befall({ redis }, random) {
      for (let round = 0; round < 5; round++) {
        await redis.control.client("KILL", "TYPE", "pubsub");
        await sleep(random.between(0, 400));
      }
    },
  },
  {
    name: "all connections to Redis cut",
    async befall({ redis }, random) {
      for (let round = 0; round < 3; round++) {
        await redis.control.client("KILL", "SKIPME", "yes");
        await sleep(random.between(0, 400));
      }
    },
  },
  {
    name: "Redis killed, back empty",
    losesMemory: true,
    async befall({ redis }, random) {
      await redis.kill();
      await sleep(random.between(0, 4000));
      await redis.restart();
    },
  },
  ...STOPS_S.map(stopOfRedis),
  refusal(
    "Redis refuses: too few replicas",
    ["CONFIG", "SET", "min-replicas-to-write", "1"],
    ["CONFIG", "SET", "min-replicas-to-write", "0"],
  ),
  refusal(
    "Redis refuses: out of memory",
    ["CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction"],
    ["CONFIG", "SET", "maxmemory", "0"],
  ),
  refusal(
    "Redis refuses: no right to XADD",
    ["ACL", "SETUSER", "default", "-xadd"],
    ["ACL", "SETUSER", "default", "+xadd"],
  ),
  {
    name: "network between one instance and Redis frozen",
    async befall({ wayToRedis }, random) {
      wayToRedis.freeze();
      await sleep(random.between(500, 8000));
      wayToRedis.thaw();
    },
  },
  {
    name: "network between one instance and Redis frozen, then cut",
    async befall({ wayToRedis }, random) {
      wayToRedis.freeze();
      await sleep(random.between(500, 8000));
      wayToRedis.cut();
      wayToRedis.thaw();
    },
  },
  { name: "SIGKILL of an instance", befall: (all, random) => stop(all, random, "SIGKILL") },
  { name: "SIGTERM of an instance", befall: (all, random) => stop(all, random, "SIGTERM") },
  {
    name: "load balancer killed",
    async befall({ balancer }, random) {
      await balancer.kill();
      await sleep(random.between(0, 1000));
      await balancer.restart();
    },
  },
];

const LONG_FAULT = stopOfRedis(LONG_STOP_S);

/** What happens next. @param only parts of names: nothing else happens, where there are any. */
export function nextFault(random: Random, only: readonly string[]): Fault {
  const isLong = random.next() < LONG_SHARE;
  const [first, ...others] = [...FAULTS, LONG_FAULT].filter(({ name }) => only.some((part) => name.includes(part)));
  if (first) return random.pick([first, ...others]);
  if (only.length > 0) throw new Error(`there is no fault like ${only.join(", ")}`);
  return isLong ? LONG_FAULT : random.pick(FAULTS);
}
